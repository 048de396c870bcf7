"""Waiting for a tracee's stop, and what kind it is."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import overload

_WALL = 0x40000000  # __WALL: wait for threads too
_EVENT_STOP = 128  # PTRACE_EVENT_STOP
_AT_CALL = signal.SIGTRAP | 0x80  # with PTRACE_O_TRACESYSGOOD
_SECONDS = 2.0


class TimeoutStopError(Exception):
    """It did not stop in time."""


@dataclass(frozen=True, slots=True)
class Stop:
    """`signal`: what was about to be delivered, or stopped the whole group, 0 if nothing.
    `at_call`: at the entry to a system call or its end."""

    signal: int
    at_call: bool = False
    group: bool = False


@overload
def await_stop(tid: int) -> Stop: ...
@overload
def await_stop(tid: int, until: Callable[[], bool]) -> Stop | None: ...
def await_stop(tid: int, until: Callable[[], bool] | None = None) -> Stop | None:
    """Wait for the next stop; with `until`, for its being true without a stop: None.

    Raises TimeoutStopError after two seconds, ProcessLookupError if the thread ended.
    """
    deadline = time.monotonic() + _SECONDS
    while True:
        # Its end is for its parent to wait for, which may be us.
        news = os.waitid(os.P_PID, tid, _WALL | os.WSTOPPED | os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if news and news.si_code not in (os.CLD_TRAPPED, os.CLD_STOPPED):
            raise ProcessLookupError
        if news:
            return _interpret(os.waitpid(tid, _WALL)[1])
        if until and until():
            return None
        if time.monotonic() > deadline:
            raise TimeoutStopError
        time.sleep(0.0001)


def _interpret(status: int) -> Stop:
    number, event = os.WSTOPSIG(status), status >> 16
    if event == _EVENT_STOP:
        return Stop(0, group=number != signal.SIGTRAP)
    if number == _AT_CALL:
        return Stop(0, at_call=True)
    return Stop(0 if event else number)
