"""Output to a pipe or terminal whose reader may have stopped to read: signals still end a watch."""

from __future__ import annotations

import io
import os
import select
import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_PIECE = 4096
"""PIPE_BUF: a pipe that poll(2) reports writable takes so much without blocking (pipe(7))."""

_ENDING_SECONDS = 1.0
_WAIT_SECONDS = 0.1


class Stop(Protocol):
    """What ends the watch: see `seclatch.watch.stop_signals`."""

    def fileno(self) -> int:
        """Return a descriptor that is readable after a signal."""

    def arrived(self) -> bool:
        """Return whether the watch is to end."""


class WaitingOutput(io.RawIOBase):
    """Writes to a descriptor of others, which keeps its flags (O_NONBLOCK would be theirs, too).

    It waits for the reader until the watch is to end, then for a second in all, and drops the rest.
    """

    def __init__(self, descriptor: int, stop: Stop) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._stop = stop
        self._waited = 0.0
        self._dropped = False

    def writable(self) -> bool:
        """Return that it may be written."""
        return True

    def write(self, content: ReadableBuffer, /) -> int:
        """Write all, or drop the rest when the watch ends and nothing is read. Raise OSError."""
        rest = memoryview(content).cast("B")
        whole = len(rest)
        while rest and not self._dropped:
            if self._wait():
                rest = rest[os.write(self._descriptor, rest[:_PIECE]) :]
        return whole

    def _wait(self) -> bool:
        """Wait until it can be written or a signal comes; return whether it can be written."""
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        if not self._stop.arrived():
            poll.register(self._stop.fileno(), select.POLLIN)
            return any(found == self._descriptor for found, _ in poll.poll(60_000))
        began = time.monotonic()
        if poll.poll(_WAIT_SECONDS * 1000):
            return True
        self._waited += time.monotonic() - began
        self._dropped = self._waited > _ENDING_SECONDS
        return False
