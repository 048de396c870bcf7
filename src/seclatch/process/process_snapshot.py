"""Take a snapshot of all processes and their filters, from /proc, the kernel and the engines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from seclatch.errors import SeclatchError
from seclatch.model.capability import name_capabilities
from seclatch.model.process import LiveContainer, LiveProcess, LiveThread
from seclatch.model.stage import Stage
from seclatch.process.containers.container_names import name_containers
from seclatch.process.containers.known_container import KnownContainer
from seclatch.process.containers.live_stages import find_stage
from seclatch.process.containers.membership import FoundContainer, find_containers, find_members
from seclatch.process.filter_origins import FilterOrigins, OriginInputs
from seclatch.process.kernel.kernel_filters import Held, read_kernel
from seclatch.process.process_entries import read_entries
from seclatch.process.recognize_profiles import (
    ProfileCandidate,
    list_candidates,
    read_files,
    recognize_programs,
)
from seclatch.process.systemd_units import find_settings
from seclatch.process.thread_filters import ThreadFilters
from seclatch.process.tightened_records import read_tightened
from seclatch.system.procfs import ProcEntry


@dataclass(frozen=True, slots=True)
class SnapshotRequest:
    """What to read.

    `threads`: all threads, not only those that differ; `filters`: programs; `names`: query engines;
    `profiles`: files whose programs are to be recognized.
    """

    threads: bool = False
    filters: bool = True
    names: bool = True
    profiles: tuple[Path, ...] = ()


@dataclass(slots=True)
class ProcessSnapshot:
    """All processes; `notes`: messages on what could not be read."""

    processes: list[LiveProcess] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def take_snapshot(request: SnapshotRequest) -> ProcessSnapshot:
    """Read all processes; those that end meanwhile are left out.

    Raises SeclatchError for a profile that cannot be read.
    """
    view = ProcessSnapshot()
    files = read_files(request.profiles)
    entries = read_entries()
    held = _read_held(view) if request.filters else None
    members = find_members(entries, find_containers(entries))
    known: dict[str, KnownContainer] = {}
    if request.names:
        known = name_containers(members.values(), entries, view.notes)
    stages = {pid: find_stage(entry, in_container=pid in members) for pid, entry in entries.items()}
    names = _recognize(files, entries, held, known.values(), view) if held else {}
    pids = {task.pid for task in (held or {}).values()}
    units = (
        find_settings(_list_programs(held or {}), entries, pids, view.notes)
        if request.names
        else {}
    )
    origins = FilterOrigins(OriginInputs(entries, stages, held))
    threads = ThreadFilters(
        origins, held, names, units, every_thread=request.threads, tightened=read_tightened()
    )
    for pid, entry in entries.items():
        found = _find_container(members.get(pid), known)
        view.processes.append(_make_process(entry, threads.describe(entry), stages[pid], found))
    return view


def _make_process(
    entry: ProcEntry,
    bound: tuple[LiveThread, tuple[LiveThread, ...]],
    stage: Stage | None,
    container: LiveContainer | None,
) -> LiveProcess:
    status = entry.status
    return LiveProcess(
        entry.pid, status.parent, status.uid, status.state, entry.argv, *bound, stage, container
    )


def _read_held(view: ProcessSnapshot) -> dict[int, Held] | None:
    try:
        return read_kernel()
    except SeclatchError as error:
        view.notes.append(f"filters are only counted, not identified: {error}; {error.remedy}")
        return None


def _list_programs(held: Mapping[int, Held]) -> set[bytes]:
    return {layer.code for task in held.values() for layer in task.layers if layer.code}


def _recognize(
    files: list[ProfileCandidate],
    entries: Mapping[int, ProcEntry],
    held: Mapping[int, Held],
    known: Iterable[KnownContainer],
    view: ProcessSnapshot,
) -> dict[bytes, str]:
    """Name the programs in use; a container's capabilities are those of the bounding set."""
    codes = _list_programs(held)
    masks = {entries[task.pid].status.capabilities for task in held.values() if task.pid in entries}
    sets = map(name_capabilities, sorted(masks))
    return recognize_programs(codes, list_candidates(files, known, sets), view.notes)


def _find_container(
    found: FoundContainer | None, known: Mapping[str, KnownContainer]
) -> LiveContainer | None:
    if found is None:
        return None
    if found.id in known:
        return known[found.id].container
    return LiveContainer(found.id, found.name, engine=found.engine)
