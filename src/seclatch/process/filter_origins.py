"""Determine what loaded a filter: from which processes hold the same one, or from counts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from seclatch.model.process import FilterCause, FilterOrigin, SeccompMode
from seclatch.model.stage import Stage
from seclatch.process.kernel.kernel_filters import Held
from seclatch.process.systemd_units import find_unit
from seclatch.system.procfs import ProcEntry

_MAX_DEPTH = 4096
_ENDED = "ZX"


@dataclass(frozen=True, slots=True)
class OriginInputs:
    """The facts: processes, their stages, and the filters of threads.

    A stage of None: no part of a container's life. `held`: by thread id; None if the kernel could
    not be asked.
    """

    entries: Mapping[int, ProcEntry]
    stages: Mapping[int, Stage | None]
    held: Mapping[int, Held] | None


class FilterOrigins:
    """Determines origins for the processes of one snapshot."""

    def __init__(self, inputs: OriginInputs) -> None:
        self._inputs = inputs
        self._holders: dict[int, set[int]] = defaultdict(set)
        self._bound = {task.pid for task in (inputs.held or {}).values()}
        for task in (inputs.held or {}).values():
            for layer in task.layers:
                self._holders[layer.identity].add(task.pid)

    def find_origins(self, pid: int, identities: tuple[int, ...]) -> tuple[FilterOrigin, ...]:
        """Return the origins of filters that were read, newest first as given."""
        parent = self._parent(pid)
        own = [identity for identity in identities if parent not in self._holders[identity]]
        return tuple(
            self._find_origin(pid, identity, first=identity in own[-1:]) for identity in identities
        )

    def estimate_origins(self, pid: int, count: int) -> tuple[FilterOrigin, ...]:
        """Return origins from counts alone: a child has at least the filters of its parent."""
        origins = []
        for position in range(count):  # the oldest first
            oldest = self._find_oldest(pid, partial(self._has_more, position))
            if oldest != pid:
                origin = self._make_inherited(oldest)
            else:
                first = position == max(self._count_filters(self._parent(pid)), 0)
                origin = self._classify_load(pid, first=first)
            origins.append(replace(origin, certain=False))
        return tuple(reversed(origins))

    def _find_origin(self, pid: int, identity: int, *, first: bool) -> FilterOrigin:
        holders = self._holders[identity]
        oldest = self._find_oldest(pid, holders.__contains__)
        if oldest != pid:
            return self._make_inherited(oldest)
        # One that has ended since the kernel was asked has no ancestors that could be looked up.
        living = holders & self._inputs.entries.keys()
        if any(self._find_oldest(holder, holders.__contains__) != pid for holder in living):
            # Held by processes that do not descend from this one: their common ancestor has ended.
            return FilterOrigin(FilterCause.ENDED)
        if self._has_unbound_child(pid, holders):
            return FilterOrigin(FilterCause.LOADED)
        return self._classify_load(pid, first=first)

    def _has_unbound_child(self, pid: int, holders: set[int]) -> bool:
        """Return whether a living child lacks the filter: it was loaded after that was forked.

        By the process itself then, or by a tracer in its name, and not before its exec.
        """
        return any(
            entry.status.parent == pid
            and child not in holders
            and entry.status.state not in _ENDED
            and (child in self._bound or entry.status.mode == SeccompMode.NONE)
            for child, entry in self._inputs.entries.items()
        )

    def _classify_load(self, pid: int, *, first: bool) -> FilterOrigin:
        """Return the origin of a filter that was loaded in this process.

        It was loaded before the program's exec by what started it, or by the program itself. A
        runtime loads one.
        """
        entry = self._inputs.entries[pid]
        stage = self._inputs.stages.get(pid)
        above = self._inputs.stages.get(entry.status.parent)
        of_program = stage is Stage.PROGRAM and above not in (Stage.PROGRAM, None)
        if first and (of_program or stage is Stage.FILTERED_INIT):
            return FilterOrigin(FilterCause.RUNTIME)
        unit = find_unit(entry)
        if stage is None and unit and self._is_systemd(entry.status.parent):
            # systemd and the program may both have loaded filters: they look the same here.
            return FilterOrigin(FilterCause.UNIT, name=unit, certain=False)
        return FilterOrigin(FilterCause.LOADED)

    def _make_inherited(self, pid: int) -> FilterOrigin:
        return FilterOrigin(FilterCause.INHERITED, pid, self._inputs.entries[pid].status.comm)

    def _find_oldest(self, pid: int, holds: Callable[[int], bool]) -> int:
        """Return the oldest in the unbroken line of ancestors that hold it."""
        for _ in range(_MAX_DEPTH):
            parent = self._parent(pid)
            if parent not in self._inputs.entries or not holds(parent):
                break
            pid = parent
        return pid

    def _parent(self, pid: int) -> int:
        entry = self._inputs.entries.get(pid)
        return entry.status.parent if entry else 0

    def _count_filters(self, pid: int) -> int:
        entry = self._inputs.entries.get(pid)
        return entry.status.filters if entry else 0

    def _has_more(self, count: int, pid: int) -> bool:
        return self._count_filters(pid) > count

    def _is_systemd(self, pid: int) -> bool:
        entry = self._inputs.entries.get(pid)
        return entry is not None and entry.status.comm == "systemd"
