"""Read the roles of running processes from /proc."""

from __future__ import annotations

import os
import time
from collections.abc import Collection

from seclatch.model.process_role import SETTLE_SECONDS, name_role
from seclatch.system.procfs import read_status

_SURELY = 30.0
"""Seconds after which a process that never sleeps has started, too."""

_TICKS = os.sysconf("SC_CLK_TCK")


def read_roles(pids: Collection[int]) -> dict[int, str]:
    """Return the role of each process that lives; a parent counts if it is among them."""
    programs = {pid: _read_program(pid) for pid in pids}
    roles = {}
    for pid, program in programs.items():
        status = read_status(pid)
        if status and program:
            roles[pid] = name_role(program, programs.get(status.parent, ""))
    return roles


def _read_program(pid: int) -> str:
    """Return the file that a process runs; "" when it has ended."""
    try:
        return os.readlink(f"/proc/{pid}/exe")  # noqa: PTH115
    except OSError:
        return ""


def has_started(pid: int, start: int) -> bool:
    """Return whether a process that began at that time (clock ticks since boot) has started.

    On a busy machine it may not have run yet after a second: it must sleep, too.
    """
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - start / _TICKS
    if not SETTLE_SECONDS <= age < _SURELY:
        return age >= _SURELY
    status = read_status(pid)
    return status is not None and status.state == "S"


def list_family(first: int, pids: Collection[int]) -> set[int]:
    """Return those that descend from the container's first process, and that one.

    Exec sessions do not: their parents are outside of the container.
    """
    parents = {pid: status.parent for pid in pids if (status := read_status(pid))}
    family = set()
    for pid in parents:
        above, steps = pid, 0
        while above != first and above in parents and steps < len(parents):
            above, steps = parents[above], steps + 1
        if above == first:
            family.add(pid)
    return family
