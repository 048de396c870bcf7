"""Wait for a signal with a timeout: sigtimedwait(2).

Python's own (3.11) returns an uninitialised siginfo if it is interrupted and the time is over:
after SIGSTOP and SIGCONT a recorder would pass on a SIGHUP that was never sent.
"""

from __future__ import annotations

import ctypes
import errno
import os
import time
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple


class ReceivedSignal(NamedTuple):
    """A signal that was taken. `si_pid` is its sender, 0 for the kernel."""

    si_signo: int
    si_pid: int


class _SigInfo(ctypes.Structure):
    """siginfo_t: the union begins at a pointer's alignment, with si_pid; 128 bytes in all."""

    _fields_ = (
        ("signo", ctypes.c_int),
        ("errno", ctypes.c_int),
        ("code", ctypes.c_int),
        *((("gap", ctypes.c_int),) if ctypes.sizeof(ctypes.c_void_p) == 8 else ()),
        ("pid", ctypes.c_int),
        ("rest", ctypes.c_byte * 108),
    )


class _Time(ctypes.Structure):
    """struct timespec."""

    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


_Set = ctypes.c_ulong * (1024 // (8 * ctypes.sizeof(ctypes.c_ulong)))  # sigset_t of glibc and musl


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def await_signal(signals: Iterable[int], seconds: float) -> ReceivedSignal | None:
    """Take one of the signals, which must be blocked; None if none arrives in that time."""
    wanted = _Set()
    _libc().sigemptyset(wanted)
    for signal in signals:
        _libc().sigaddset(wanted, int(signal))
    info = _SigInfo()
    end = time.monotonic() + seconds
    while True:
        left = max(0.0, end - time.monotonic())
        limit = _Time(int(left), int(left % 1 * 1e9))
        number = _libc().sigtimedwait(wanted, ctypes.byref(info), ctypes.byref(limit))
        if number > 0:
            return ReceivedSignal(number, info.pid)
        code = ctypes.get_errno()
        if code == errno.EAGAIN:
            return None
        if code != errno.EINTR:
            raise OSError(code, os.strerror(code))
