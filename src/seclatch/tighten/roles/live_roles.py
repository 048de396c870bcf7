"""Read the roles of running processes from /proc."""

from __future__ import annotations

import os
import time
from collections.abc import Collection

from seclatch.model.recording.process_role import SETTLE_SECONDS, name_role
from seclatch.system.procfs import read_status, read_status_line

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


class StartedProcesses:
    """Tells which processes have started: a second ago or more, and since then they have slept.

    On a busy machine a process may not have run at all after a second. One that never sleeps counts
    after half a minute. Processes are (id, start time in clock ticks since boot).
    """

    def __init__(self) -> None:
        self._sleeps: dict[tuple[int, int], int] = {}

    def has_started(self, pid: int, start: int) -> bool:
        """Return whether it has; to be asked again and again."""
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - start / _TICKS
        if not SETTLE_SECONDS <= age < _SURELY:
            return age >= _SURELY
        status = read_status(pid)
        if status is None or status.state == "S":
            return status is not None
        sleeps = _count_sleeps(pid)
        return sleeps > self._sleeps.setdefault((pid, start), sleeps)

    def keep(self, living: set[tuple[int, int]]) -> None:
        """Forget those that have ended."""
        self._sleeps = {each: count for each, count in self._sleeps.items() if each in living}


def _count_sleeps(pid: int) -> int:
    try:
        return int(read_status_line(pid, b"voluntary_ctxt_switches") or b"0")
    except OSError:
        return 0


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
