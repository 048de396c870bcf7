"""Follow processes that run already.

An iterator of the kernel looks at every task (native/bpf/adoption.h); the other programs follow
what those fork from then on.
"""

from __future__ import annotations

import os

from seclatch.recording.backends.bpf.container_scope import follow_joining_processes, watch
from seclatch.recording.backends.bpf.loader import Probe
from seclatch.system import bpf

# Each pass but the last finds a task that the one before could not: a thread before its leader, a
# child before its parent. Nothing that is not being made on purpose is this deep.
_MAX_PASSES = 32


def adopt(  # noqa: PLR0913 (as watch)
    probe: Probe,
    *,
    mounts: int = 0,
    pids: int = 0,
    process: int = 0,
    reapers: bool = False,
    word: str = "",
) -> int:
    """Follow all tasks of a container or of one process, with their descendants; return how many.

    A container is given by inode numbers of its namespaces, see `watch`. It is watched from then
    on: what comes into it later is followed too. Raises OSError, bpf.VerifierError.
    """
    watch(probe, mounts=mounts, pids=pids, process=process, reapers=reapers, word=word)
    added = run_iterator(probe, "adopt_container")
    follow_joining_processes(probe)
    return added


def run_iterator(probe: Probe, name: str) -> int:
    """Run one of the iterators until it finds nothing new; answer how many tasks it has found.

    Raises OSError, bpf.VerifierError.
    """
    program = probe.load(name)
    first = before = probe.adopted()
    try:
        for _ in range(_MAX_PASSES):
            _run(program)
            added = probe.adopted()
            if added == before:
                break
            before = added
    finally:
        os.close(program)
    return before - first


def _run(program: int) -> None:
    with os.fdopen(bpf.open_iterator(program), "rb", buffering=0) as file:
        while file.read(4096):  # nothing is written: the first reading is the end
            pass
