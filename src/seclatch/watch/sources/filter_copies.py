"""Filters that the kernel programs copied when a process was denied something."""

from __future__ import annotations

from collections import Counter, OrderedDict

from seclatch.model.seen_denial import SeenProcess
from seclatch.watch.sources.watch_abi import COPY, LAYERS

_MAX_KEPT = 8192
_MAX_BYTES = 32 << 20
"""Of different programs: one has up to 32 KiB, and any process may load others all the time."""

_Key = tuple[int, int, int]


class FilterCopies:
    """Copies by process and the kernel's address; the oldest are dropped."""

    def __init__(self) -> None:
        self._kept: OrderedDict[_Key, tuple[int, bytes]] = OrderedDict()
        self._codes: dict[bytes, bytes] = {}
        self._uses: Counter[bytes] = Counter()
        self._bytes = 0

    def add(self, event: bytes) -> None:
        """Keep a copy; equal programs are kept once."""
        started, pid, length, address, previous = COPY.unpack_from(event)
        code = event[COPY.size : COPY.size + length * 8]
        if code not in self._codes:
            self._codes[code] = code
            self._bytes += len(code)
        self._uses[code] += 1
        if replaced := self._kept.pop((pid, started, address), None):
            self._release(replaced[1])
        self._kept[pid, started, address] = (previous, self._codes[code])
        while len(self._kept) > _MAX_KEPT or self._bytes > _MAX_BYTES:
            self._release(self._kept.popitem(last=False)[1][1])

    def _release(self, code: bytes) -> None:
        self._uses[code] -= 1
        if not self._uses[code]:
            del self._uses[code], self._codes[code]
            self._bytes -= len(code)

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
