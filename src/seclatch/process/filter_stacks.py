"""Read the filters of every process on the host, grouped by what binds them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from seclatch.errors import SeclatchError
from seclatch.model.process import SeccompMode
from seclatch.process.containers.container_names import name_containers
from seclatch.process.containers.known_container import KnownContainer
from seclatch.process.containers.membership import find_containers, find_members
from seclatch.process.kernel.kernel_filters import Held, read_kernel
from seclatch.process.process_entries import read_entries
from seclatch.process.systemd_units import find_unit
from seclatch.system.procfs import ProcEntry
from seclatch.system.read_filters import read_filters


@dataclass(frozen=True, slots=True)
class BoundProcess:
    """A process under filters. `place`: its container or systemd unit, "" for neither."""

    pid: int
    command: str
    place: str


@dataclass(slots=True)
class HostFilters:
    """Processes by the programs that bind them, newest first, and their effective capabilities.

    No programs: no seccomp. `notes`: what could not be read.
    """

    stacks: dict[tuple[tuple[bytes, ...], int], list[BoundProcess]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def read_host_filters(*, names: bool = True) -> HostFilters:
    """Read the filters of the first thread of each process; `names`: ask engines for names.

    From the kernel's iterator; where that fails, by stopping each process under seccomp with
    ptrace (PTRACE_SECCOMP_GET_FILTER). What cannot be read is in the notes.
    """
    found = HostFilters()
    entries = read_entries()
    members = find_members(entries, find_containers(entries))
    known: Mapping[str, KnownContainer] = {}
    if names:
        known = name_containers(members.values(), entries, found.notes)
    try:
        held: Mapping[int, Held] = read_kernel()
    except SeclatchError as error:
        found.notes.append(f"{error}; reading filters by ptrace instead")
        held = {}
    for pid, entry in entries.items():
        codes = _read_codes(entry, held, found.notes)
        if codes is None:
            continue
        member = members.get(pid)
        place = ""
        if member is not None:
            container = known.get(member.id)
            place = container.container.title if container else ""
            place = f"container {place or member.name or member.id[:12]}"
        key = (codes, entry.status.effective)
        command = entry.executable or entry.status.comm
        found.stacks.setdefault(key, []).append(
            BoundProcess(pid, command, place or find_unit(entry))
        )
    return found


def _read_codes(
    entry: ProcEntry, held: Mapping[int, Held], notes: list[str]
) -> tuple[bytes, ...] | None:
    """Return the programs that bind a process, newest first; None if they cannot be read."""
    status = entry.status
    if status.mode == SeccompMode.NONE:
        return ()
    name = f"process {entry.pid} ({status.comm})"
    if status.mode != SeccompMode.FILTER:
        notes.append(f"{name} is in mode {status.mode}, which is no filter: left out")
        return None
    task = held.get(entry.pid)
    if task is not None:
        codes = tuple(_list_codes(task))
        if len(codes) == task.count:
            return codes
    try:
        return tuple(read_filters(entry.pid))
    except SeclatchError as error:
        notes.append(f"{name} is left out: {error}")
        return None


def _list_codes(task: Held) -> Iterator[bytes]:
    return (layer.code for layer in task.layers if layer.code is not None)
