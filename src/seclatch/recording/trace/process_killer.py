"""Kill processes of a growing trace by pidfd: the number of one that has ended may be another's."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seclatch.recording.trace.trace import Trace

_MOST_HANDLES = 256
"""Pidfds that are open at a time: a process may have 1024 files open by default (getrlimit(2))."""


class ProcessKiller:
    """Kills processes of one trace. Call `kill` after each update of the trace, `close` at the end.

    A pidfd is used only once a later update still has its process alive: had its number been
    another process's when the pidfd was opened, the exit before that would be in the trace by now.
    """

    def __init__(self) -> None:
        self._handles: dict[int, int] = {}
        self._signalled: set[int] = set()

    def kill(self, trace: Trace, numbers: Collection[int]) -> None:
        """Send SIGKILL to these living processes of the trace; to each at a later call.

        That is the second one, unless there are more of them than pidfds are opened.
        """
        for number in self._handles.keys() & set(numbers):
            with contextlib.suppress(OSError):  # it has ended
                signal.pidfd_send_signal(self._handles[number], signal.SIGKILL)
            self._signalled.add(number)
        self.close()
        for number in sorted(numbers, key=self._signalled.__contains__)[:_MOST_HANDLES]:
            # Linux 5.3, which is older than what the recorder needs; OSError: it has ended.
            with contextlib.suppress(OSError):
                self._handles[number] = os.pidfd_open(trace.processes[number].pid)

    def close(self) -> None:
        """Close the pidfds."""
        while self._handles:
            os.close(self._handles.popitem()[1])
