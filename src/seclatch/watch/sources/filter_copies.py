"""Filters that the kernel programs copied when a process was denied something."""

from __future__ import annotations

from collections import OrderedDict

from seclatch.model.seen_denial import SeenProcess
from seclatch.watch.sources.watch_abi import COPY, LAYERS

_MAX_KEPT = 8192

_Key = tuple[int, int, int]


class FilterCopies:
    """Copies by process and the kernel's address; the oldest are dropped."""

    def __init__(self) -> None:
        self._kept: OrderedDict[_Key, tuple[int, bytes]] = OrderedDict()
        self._codes: dict[bytes, bytes] = {}

    def add(self, event: bytes) -> None:
        """Keep a copy; equal programs are kept once."""
        started, pid, length, address, previous = COPY.unpack_from(event)
        code = event[COPY.size : COPY.size + length * 8]
        self._kept[pid, started, address] = (previous, self._codes.setdefault(code, code))
        while len(self._kept) > _MAX_KEPT:
            self._kept.popitem(last=False)
        if len(self._codes) > _MAX_KEPT:
            self._codes = {code: code for _, code in self._kept.values()}

    def find_layers(self, process: SeenProcess, address: int) -> tuple[bytes, ...]:
        """Return the programs of a stack, newest first; none unless all are known."""
        found: list[bytes] = []
        while address:
            previous, code = self._kept.get((process.pid, process.started, address), (0, b""))
            if not code or len(found) == LAYERS:
                return ()
            found.append(code)
            address = previous
        return tuple(found)
