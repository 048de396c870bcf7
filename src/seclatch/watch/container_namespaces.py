"""Find the container of a pid namespace.

An exec session may be gone before anyone looks at it, but the container's first process is not. A
namespace is named by its inode number together with the start of its first process: the kernel
gives the number of an ended one to the next.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from seclatch.process.containers.membership import FoundContainer, find_containers, find_members
from seclatch.process.process_entries import read_entries
from seclatch.system import procfs
from seclatch.system.procfs import ProcEntry

_MAX_KNOWN: Final = 8192
_TICK: Final = 1_000_000_000 // os.sysconf("SC_CLK_TCK")

Namespace = tuple[int, int]
"""Inode number, and start of the first process in clock ticks."""


@dataclass(frozen=True, slots=True)
class ContainerScan:
    """All processes and containers at one moment."""

    entries: Mapping[int, ProcEntry]
    containers: Mapping[str, FoundContainer]
    members: Mapping[int, FoundContainer]


class ContainerNamespaces:
    """Remembers containers by namespace; `own` is the number of this process's namespace."""

    def __init__(self) -> None:
        self.own = read_namespace("self")
        self._known: OrderedDict[Namespace, FoundContainer | None] = OrderedDict()

    def find(self, pids: int, reaper: int) -> FoundContainer | None:
        """Return the container of a namespace; `reaper` is in nanoseconds since boot."""
        return self._known.get((pids, reaper // _TICK))

    def is_unknown(self, pids: int, reaper: int) -> bool:
        """Return whether a scan has not found the container of a namespace, if it is one's."""
        key = (pids, reaper // _TICK)
        return key in self._known and self._known[key] is None

    def scan(self) -> ContainerScan:
        """Read /proc as a whole, and learn the namespaces of all containers."""
        entries = read_entries()
        containers = find_containers(entries)
        members = find_members(entries, containers)
        for pid, found in members.items():
            if is_first_process(pid) and (pids := read_namespace(pid)) not in (0, self.own):
                self.learn(pids, procfs.read_start(pid) * _TICK, found)
        return ContainerScan(entries, containers, members)

    def learn(self, pids: int, reaper: int, found: FoundContainer | None) -> None:
        """Remember a container, or that none was found; the oldest are forgotten."""
        key = (pids, reaper // _TICK)
        self._known[key] = found
        self._known.move_to_end(key)
        while len(self._known) > _MAX_KNOWN:
            self._known.popitem(last=False)


def is_first_process(pid: int) -> bool:
    """Return whether it is number 1 of its own pid namespace (`NSpid`, Linux 4.1)."""
    try:
        line = procfs.read_status_line(pid, b"NSpid")
    except OSError:
        return False
    return bool(line) and line is not None and line.split()[-1:] == [b"1"]


def read_namespace(pid: int | str) -> int:
    """Return the inode number of a process's pid namespace, 0 if it has ended or is hidden."""
    try:
        return os.stat(f"/proc/{pid}/ns/pid").st_ino  # noqa: PTH116 (through a magic link)
    except OSError:
        return 0
