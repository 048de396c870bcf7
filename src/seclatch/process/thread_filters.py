"""Describe the threads of a process with the filters that bind them."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace

from seclatch.model.process import FilterCause, FilterLayer, FilterOrigin, LiveThread
from seclatch.process.filter_origins import FilterOrigins
from seclatch.process.kernel.kernel_filters import Held
from seclatch.process.systemd_units import find_unit
from seclatch.process.tightened_records import TightenedFilter, digest_program
from seclatch.system import procfs
from seclatch.system.procfs import ProcEntry, ProcStatus

_DIGITS = 8
_FROM_ANCESTORS = (FilterCause.INHERITED, FilterCause.ENDED)


def fingerprint_program(code: bytes | None) -> str:
    """Return the beginning of a program's SHA-256; "" for none."""
    return hashlib.sha256(code).hexdigest()[:_DIGITS] if code else ""


class ThreadFilters:
    """Combines counts of /proc with filters that the kernel's iterator read.

    `held` is None where only counts are known. `names`: profiles by program. `units`: settings of
    systemd units, by unit and program.
    """

    def __init__(  # noqa: PLR0913 (what one snapshot knows)
        self,
        origins: FilterOrigins,
        held: Mapping[int, Held] | None,
        names: Mapping[bytes, str],
        units: Mapping[str, Mapping[bytes, str]],
        *,
        every_thread: bool,
        tightened: Mapping[tuple[int, str], TightenedFilter] | None = None,
    ) -> None:
        self._origins = origins
        self._held = held
        self._names = names
        self._units = units
        self._every_thread = every_thread
        self._tightened = tightened or {}
        self._of_process: dict[int, list[Held]] = defaultdict(list)
        for task in (held or {}).values():
            self._of_process[task.pid].append(task)

    def describe(self, entry: ProcEntry) -> tuple[LiveThread, tuple[LiveThread, ...]]:
        """Return the first thread, and the others that are requested or have different filters."""
        main = self._make_thread(entry, entry.pid, entry.status)
        if entry.status.threads < 2 or not self._has_differing_threads(entry):
            return main, ()
        others = (
            self._make_thread(entry, tid, status)
            for tid in sorted(procfs.list_threads(entry.pid))
            if tid != entry.pid and (status := procfs.read_status(entry.pid, tid))
        )
        return main, tuple(
            thread for thread in others if self._every_thread or thread.differs(main)
        )

    def _has_differing_threads(self, entry: ProcEntry) -> bool:
        """Return whether other threads need to be read.

        The kernel's iterator already shows whether threads differ: there is no need to read the
        status of each of thousands.
        """
        if self._every_thread or self._held is None:
            return True
        held = self._of_process.get(entry.pid, [])
        if not held:
            return False
        bound = {(task.mode, task.count, task.layers) for task in held}
        return len(bound) > 1 or len(held) != entry.status.threads

    def _make_thread(self, entry: ProcEntry, tid: int, status: ProcStatus) -> LiveThread:
        return LiveThread(
            tid,
            status.comm,
            status.mode,
            status.filters,
            status.no_new_privs,
            self._make_layers(entry, tid, status),
        )

    def _make_layers(
        self, entry: ProcEntry, tid: int, status: ProcStatus
    ) -> tuple[FilterLayer, ...]:
        held = self._held.get(tid) if self._held is not None else None
        if held is None or not held.layers or status.filters not in (held.count, -1):
            # Not read, or changed since: only the count is certain.
            origins = self._origins.estimate_origins(entry.pid, max(status.filters, 0))
            return tuple(FilterLayer("", 0, origin) for origin in origins)
        origins = self._origins.find_origins(
            entry.pid, tuple(layer.identity for layer in held.layers)
        )
        unit = find_unit(entry)
        pairs = zip(held.layers, origins, strict=True)
        return tuple(
            self._make_layer(layer.code or b"", self._recall(entry.pid, layer.code, origin), unit)
            for layer, origin in pairs
        )

    def _recall(self, pid: int, code: bytes | None, origin: FilterOrigin) -> FilterOrigin:
        """Return what `seclatch tighten` recorded of a filter that the process does not inherit.

        The only filter of a container's first process looks like its runtime's.
        """
        if not self._tightened or not code or origin.cause in _FROM_ANCESTORS:
            return origin
        found = self._tightened.get((pid, digest_program(code)))
        return FilterOrigin(FilterCause.TIGHTENED, name=found.when) if found else origin

    def _make_layer(self, code: bytes, origin: FilterOrigin, unit: str) -> FilterLayer:
        name = self._names.get(code, "")
        if setting := self._units.get(unit, {}).get(code, ""):
            name = name or f"{unit} {setting}"
            if origin.cause is FilterCause.UNIT:
                origin = replace(origin, certain=True)
        return FilterLayer(fingerprint_program(code), len(code) // 8, origin, name)
