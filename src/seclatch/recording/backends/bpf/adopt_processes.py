"""Follow processes that run already.

An iterator of the kernel looks at every task (native/bpf/adoption.h); the other programs follow
what those fork from then on.
"""

from __future__ import annotations

import os

from seclatch.recording.backends.bpf.container_scope import (
    ONLY,
    ContainerScope,
    adopt_also,
    watch_container,
)
from seclatch.recording.backends.bpf.loader import Probe
from seclatch.system import bpf

# Each pass but the last finds a task that the one before could not: a thread before its leader, a
# child before its parent, one that is being forked. Nothing is this deep but on purpose.
_MAX_PASSES = 32


ITERATOR = "adopt_container"


def adopt(probe: Probe, scope: ContainerScope, *, process: int = 0, number: int = ONLY) -> int:
    """Follow all tasks of a container, and of `process`, with their descendants; return how many.

    What joins the container later is followed too. Raises OSError, bpf.VerifierError.
    """
    watch_container(probe, scope, number=number, joined=False)
    adopt_also(probe, process, number=number)
    added = run_iterator(probe, ITERATOR)
    watch_container(probe, scope, number=number)
    return added


def run_iterator(probe: Probe, name: str) -> int:
    """Run one of the iterators until it finds nothing new; answer how many tasks it has found.

    Raises OSError, bpf.VerifierError.
    """
    program = probe.iterator(name)
    first = before = probe.read_adopted()
    for _ in range(_MAX_PASSES):
        _run(program)
        now = probe.read_adopted()
        if now == before:
            break
        before = now
    return before[0] - first[0]


def release(probe: Probe) -> None:
    """Follow no task any more of containers that were forgotten. Raises OSError, VerifierError."""
    _run(probe.iterator("release_containers"))


def _run(program: int) -> None:
    with os.fdopen(bpf.open_iterator(program), "rb", buffering=0) as file:
        while file.read(4096):  # nothing is written: the first reading is the end
            pass
