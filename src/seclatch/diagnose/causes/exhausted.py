"""Cause: a resource ran out: space, memory, processes, descriptors."""

from __future__ import annotations

import re
from errno import EAGAIN, EDQUOT, EFBIG, EMFILE, ENFILE, ENOMEM, ENOSPC

from seclatch.diagnose.causes.diagnosed_run import DiagnosedRun, FoundCause
from seclatch.diagnose.causes.symptom import find_symptom

_WHAT = {
    ENOSPC: ("no-space", "no space is left on a file system (or a limit of the kernel's)"),
    EDQUOT: ("no-space", "a disk quota is used up"),
    EFBIG: ("limit", "a file may not grow that large (RLIMIT_FSIZE, ulimit -f)"),
    EMFILE: ("limit", "too many open files (ulimit -n)"),
    ENFILE: ("limit", "too many open files on the host"),
    ENOMEM: ("limit", "memory cannot be had (a memory limit?)"),
    EAGAIN: ("limit", "no more processes may be made (a pids limit, ulimit -u)"),
}

_NO_MEMORY = re.compile(r"out of memory|memory exhausted|\bMemoryError\b", re.IGNORECASE)


def find_exhausted_resource(run: DiagnosedRun) -> FoundCause | None:
    """Find an errno that means an exhausted resource."""
    symptom = find_symptom(run)
    if symptom is None:
        return None
    number = ENOMEM if _NO_MEMORY.search(symptom.text) else symptom.errno
    if number not in _WHAT:
        return None
    cause, words = _WHAT[number]
    return FoundCause(
        False,
        cause,
        f"{words}: {symptom.text or symptom.path or symptom.call}",
        symptom.stage.value,
        symptom.evidence,
    )
