"""The events of kernel programs, in the order in which they were sent."""

from __future__ import annotations

import os
from collections.abc import Iterator

from seclatch.recording.backends.bpf import abi
from seclatch.recording.backends.bpf.abi import COUNT, WORD
from seclatch.system.bpf import Map

# <linux/bpf.h>: a record's length has these marks; its header is 8 bytes.
_BUSY, _DISCARD = 1 << 31, 1 << 30
_RECORD_HEADER = 8


class Ring:
    """The reading end of a BPF ring buffer (Documentation/bpf/ringbuf.rst)."""

    def __init__(self, ring: Map, size: int = abi.RING_SIZE) -> None:
        page = os.sysconf("SC_PAGE_SIZE")
        self._mask = size - 1
        self._consumer = ring.map_memory(size=page)
        # The kernel shows the data twice in a row, so that no record is ever split.
        self._producer = ring.map_memory(size=page + 2 * size, offset=page, writable=False)
        self._data = page

    def read(self) -> Iterator[bytes]:
        """Give each event that has come and is whole; free its memory when asked for the next."""
        position = COUNT.unpack_from(self._consumer, 0)[0]
        while position < COUNT.unpack_from(self._producer, 0)[0]:
            at = self._data + (position & self._mask)
            length = WORD.unpack_from(self._producer, at)[0]
            if length & _BUSY:
                return
            size = length & ~_DISCARD
            begin = at + _RECORD_HEADER
            if not length & _DISCARD:
                yield self._producer[begin : begin + size]
            position += (size + _RECORD_HEADER + 7) & ~7
            COUNT.pack_into(self._consumer, 0, position)
