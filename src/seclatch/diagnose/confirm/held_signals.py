"""Hold back signals that ask to stop, between runs: what a run has made is removed first."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator

_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequests:
    """Requests to stop (SIGINT, SIGTERM, SIGHUP) that are blocked and looked up between runs."""

    def __init__(self, held: set[signal.Signals]) -> None:
        self._held = held
        self._taken = False

    def take_stop_request(self) -> bool:
        """Return whether the user has asked to stop by now."""
        while self._held and signal.sigtimedwait(self._held, 0):
            self._taken = True
        return self._taken

    def release(self) -> None:
        """Have a forked process get these signals again."""
        signal.pthread_sigmask(signal.SIG_UNBLOCK, self._held)


@contextlib.contextmanager
def hold_stop_signals() -> Iterator[StopRequests]:
    """Block requests to stop until the end; those that arrived by then are dropped."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
    held = StopRequests({number for number in _STOPS if number not in before})
    try:
        yield held
    finally:
        held.take_stop_request()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
