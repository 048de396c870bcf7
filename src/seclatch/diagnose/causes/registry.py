"""The causes in the order in which they are asked: evidence of calls before words."""

from __future__ import annotations

from seclatch.diagnose.causes import (
    cgroup,
    engine_failed,
    exhausted,
    hook_denied,
    killed,
    lsm,
    missing_capability,
    missing_file,
    not_executable,
    not_seen,
    nothing_failed,
    possibly_denied,
    profile_refused,
    program_denied,
    program_failed,
    read_only,
    runtime_denied,
    unknown,
    unwatched,
    wrong_architecture,
)
from seclatch.diagnose.causes.diagnosed_run import Cause, Found, Subject

CAUSES: tuple[Cause, ...] = (
    nothing_failed.find,
    wrong_architecture.find,
    runtime_denied.find,
    hook_denied.find,
    program_denied.find,
    profile_refused.find,
    unwatched.find,
    not_seen.find,
    cgroup.find,
    lsm.find,
    read_only.find,
    not_executable.find,
    missing_file.find,
    exhausted.find,
    missing_capability.find,
    killed.find,
    program_failed.find,
    possibly_denied.find,
    engine_failed.find,
    unknown.find,
)


def find_cause(subject: Subject) -> Found:
    """The first cause that fits; the last always does."""
    for cause in CAUSES:
        if found := cause(subject):
            return found
    raise AssertionError("the last cause always fits")
