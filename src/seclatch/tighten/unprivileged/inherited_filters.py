"""Judge by records and counts which filters processes have, where the kernel does not show them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from seclatch.errors import SeclatchError
from seclatch.output.printable_text import make_printable
from seclatch.process.tightened_records import (
    TightenedFilter,
    digest_program,
    read_tightened,
)
from seclatch.system.procfs import list_threads, read_start, read_status

_SHOWN = 4
_PATIENCE, _EVERY = 0.5, 0.02
_STRICT = 1
_REMEDY = "run it as root on the host, which reads filters"


@dataclass(frozen=True, slots=True)
class JudgedProcesses:
    """Processes with and without the further filter, and what the latter have.

    `count` is the number of filters of each unbound process; `layers` those of earlier runs.
    """

    bound: tuple[int, ...]
    unbound: tuple[int, ...]
    count: int
    layers: tuple[TightenedFilter, ...]


def judge_processes(
    pids: Iterable[int], code: bytes, configured: int, folder: Path
) -> JudgedProcesses:
    """Sort processes by whether they have this filter. Raises SeclatchError for any other filters.

    `configured`: how many the container's configuration has. A process that loaded one of its own
    has more than that and what earlier runs put on it, and it is unknown what that one denies.
    """
    records = read_tightened(folder)
    digest = digest_program(code)
    held: dict[int, dict[str, TightenedFilter]] = {}
    strange, until = list(pids), time.monotonic() + _PATIENCE
    while strange and time.monotonic() < until:
        # A parent that ends just then hides what its child has inherited, until that has a new one.
        found = {pid: _find_layers(pid, records) for pid in strange if read_status(pid)}
        strange = [pid for pid in found if not _has_exactly(pid, configured + len(found[pid]))]
        held |= {pid: layers for pid, layers in found.items() if pid not in strange}
        time.sleep(_EVERY if strange else 0)
    if strange:
        named = ", ".join(_describe(pid) for pid in strange[:_SHOWN])
        raise SeclatchError(
            "these processes have another number of filters than the container's configuration "
            f"({configured}) and earlier runs have put on them: {named}; without root it cannot be "
            "read what they deny, and nothing was touched",
            remedy=_REMEDY,
        )
    bound = tuple(pid for pid, layers in held.items() if digest in layers)
    unbound = tuple(pid for pid in held if pid not in bound)
    sets = {tuple(sorted(held[pid])) for pid in unbound}
    if len(sets) > 1:
        raise SeclatchError(
            "its processes are under different profiles of earlier runs of `seclatch tighten`",
            remedy=f"put the earlier profile on all of them first, or {_REMEDY}",
        )
    layers = held[unbound[0]] if unbound else {}
    return JudgedProcesses(bound, unbound, configured + len(layers), tuple(layers.values()))


def find_unbound(pids: Iterable[int], code: bytes, configured: int, folder: Path) -> list[int]:
    """Return the processes without this filter, and those of which that is not known."""
    found: list[int] = []
    for pid in pids:
        try:
            found += judge_processes([pid], code, configured, folder).unbound
        except SeclatchError:
            found.append(pid)
    return found


def _find_layers(
    pid: int, records: Mapping[tuple[int, str], TightenedFilter]
) -> dict[str, TightenedFilter]:
    """Return the recorded filters of a process, and those that it inherited, by digest."""
    digests = {digest for _, digest in records}
    start, found = read_start(pid), {}
    for digest in digests:
        if own := records.get((pid, digest)):
            found[digest] = own
            continue
        for ancestor in _list_ancestors(pid):
            record = records.get((ancestor, digest))
            if record and start > record.loaded + 1:
                found[digest] = record
                break
    return found


def _list_ancestors(pid: int) -> list[int]:
    found: list[int] = []
    status = read_status(pid)
    while status and status.parent > 1 and status.parent not in found:
        found.append(status.parent)
        status = read_status(status.parent)
    return found


def _has_exactly(pid: int, count: int) -> bool:
    """Return whether each of its threads has so many filters; true if it has ended."""
    for tid in list_threads(pid):
        status = read_status(pid, tid)
        if status and status.state not in "ZX" and not _fits(status.mode, status.filters, count):
            return False
    return True


def _fits(mode: int, filters: int, count: int) -> bool:
    return mode != _STRICT and filters == count


def _describe(pid: int) -> str:
    status = read_status(pid)
    name = make_printable(status.comm) if status else "ended"
    count = status.filters if status else 0
    return f"{pid} ({name}): {count if count >= 0 else 'a number that only Linux 5.9 shows'}"


def find_uncounted_threads(pids: Iterable[int], count: int) -> tuple[list[int], list[int]]:
    """Return the living threads of processes with so many filters, and those with other numbers.

    One more is none of ours, and may hide that ours is missing.
    """
    fine: list[int] = []
    others: list[int] = []
    for pid in pids:
        for tid in list_threads(pid):
            status = read_status(pid, tid)
            if status is None or status.state in "ZX":
                continue
            (fine if status.filters == count else others).append(tid)
    return fine, others
