"""Signals that end a watch, or reopen its log, as a descriptor to poll."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from types import FrameType

_AGAIN_SECONDS = 0.5
_STOP = (signal.SIGINT, signal.SIGTERM)


class StopSignals:
    """SIGINT and SIGTERM end the watch, SIGHUP reopens log files (as logrotate asks for).

    Without log files SIGHUP ends it, too: the terminal is gone. What nohup(1) ignores stays
    ignored. A second signal to end kills the process, if something holds it up.
    """

    def __init__(self, *, reopens: bool = True) -> None:
        self._stopped = self._hung_up = False
        self._since = 0.0
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        self._before = {number: signal.getsignal(number) for number in (*_STOP, signal.SIGHUP)}
        for number in _STOP:
            signal.signal(number, self._stop)
        if reopens:
            signal.signal(signal.SIGHUP, self._hang_up)
        elif signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, self._stop)

    def fileno(self) -> int:
        """Return the descriptor that is readable after a signal."""
        return self._read

    def arrived(self) -> bool:
        """Return whether the watch is to end."""
        with contextlib.suppress(BlockingIOError):
            os.read(self._read, 4096)
        return self._stopped

    def take_hangup(self) -> bool:
        """Return whether log files are to be reopened."""
        hung_up, self._hung_up = self._hung_up, False
        return hung_up

    def close(self) -> None:
        """Give the descriptors back, and handle signals as before."""
        signal.set_wakeup_fd(-1)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        os.close(self._read)
        os.close(self._write)

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        """End at the first; kill at a later one. timeout(1) sends two at once, which are one."""
        now = time.monotonic()
        if not self._stopped:
            self._stopped, self._since = True, now
        elif now - self._since > _AGAIN_SECONDS:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    def _hang_up(self, _number: int, _frame: FrameType | None) -> None:
        self._hung_up = True
