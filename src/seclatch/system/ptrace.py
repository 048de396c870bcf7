"""ptrace(2): the requests that follow system calls and that read the filters of a thread.

Every function raises OSError; ESRCH when the tracee was killed meanwhile, which can happen at any
time.
"""

from __future__ import annotations

import ctypes
import errno
import itertools
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from typing import overload

SYSCALL = 24
DETACH = 17
_GETEVENTMSG = 0x4201
_SEIZE = 0x4206
_INTERRUPT = 0x4207
LISTEN = 0x4208
_SECCOMP_GET_FILTER = 0x420C
_GET_SYSCALL_INFO = 0x420E

WALL = 0x40000000
"""__WALL for waitpid(2): wait for children made by clone(2), too."""

_INSTRUCTION = 8  # sizeof(struct sock_filter)
_MAX_FILTERS = 1 << 16
_CALL_STOP = signal.SIGTRAP | 0x80  # with PTRACE_O_TRACESYSGOOD
_STOP_SECONDS = 2.0


class TraceOption(IntEnum):
    """PTRACE_O_*: at which events the tracee stops, and whether its descendants are traced."""

    SYSGOOD = 1
    FORK = 1 << 1
    VFORK = 1 << 2
    CLONE = 1 << 3
    EXEC = 1 << 4
    SUSPEND_SECCOMP = 1 << 21


FOLLOW = (
    TraceOption.SYSGOOD
    | TraceOption.FORK
    | TraceOption.VFORK
    | TraceOption.CLONE
    | TraceOption.EXEC
)


class TraceEvent(IntEnum):
    """PTRACE_EVENT_*, in the third byte of a wait status."""

    FORK = 1
    VFORK = 2
    CLONE = 3
    EXEC = 4
    STOP = 128


class CallPosition(IntEnum):
    """PTRACE_SYSCALL_INFO_*: where in a system call the tracee has stopped."""

    NONE = 0
    ENTRY = 1
    EXIT = 2


class _SyscallInfo(ctypes.Structure):
    """struct ptrace_syscall_info, <linux/ptrace.h>.

    At an entry `first` is the number and `rest` the arguments, at an exit `first` is the result.
    """

    _fields_ = (
        ("op", ctypes.c_uint8),
        ("reserved", ctypes.c_uint8 * 3),
        ("arch", ctypes.c_uint32),
        ("pointer", ctypes.c_uint64),
        ("stack", ctypes.c_uint64),
        ("first", ctypes.c_uint64),
        ("rest", ctypes.c_uint64 * 6),
        ("more", ctypes.c_uint64 * 2),
    )


@dataclass(frozen=True, slots=True)
class CallStop:
    """A stop at a system call.

    `arch` is AUDIT_ARCH_*. `number` and `args` are known at the call's entry, `result` (signed) at
    its exit.
    """

    position: CallPosition
    arch: int
    pointer: int
    number: int = 0
    args: tuple[int, ...] = ()
    result: int = 0


class StopTimeoutError(Exception):
    """The tracee did not stop in time."""


@dataclass(frozen=True, slots=True)
class TraceeStop:
    """One stop of a tracee.

    `signal` is the one that was about to be delivered, or 0. `at_call`: at the entry of a system
    call or its exit. `group`: a group-stop.
    """

    signal: int
    at_call: bool = False
    group: bool = False


@cache
def _ptrace() -> ctypes._NamedFuncPointer:
    function = ctypes.CDLL(None, use_errno=True).ptrace
    function.restype = ctypes.c_long
    function.argtypes = [ctypes.c_ulong, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    return function


def _request(request: int, tid: int, address: int | None = None, data: int | None = None) -> int:
    result = int(_ptrace()(request, tid, address, data))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def seize_thread(tid: int, options: int = FOLLOW) -> None:
    """Become the thread's tracer without stopping it."""
    _request(_SEIZE, tid, None, options)


def resume_tracee(tid: int, request: int, signal: int = 0) -> None:
    """Resume a stopped tracee by SYSCALL, LISTEN or DETACH, and deliver `signal` if it is not 0."""
    _request(request, tid, None, signal)


def interrupt_tracee(tid: int) -> None:
    """Stop a running tracee (PTRACE_INTERRUPT)."""
    _request(_INTERRUPT, tid)


def peek_child() -> int:
    """Return a child or tracee that has stopped or ended, and leave it waitable; 0 if none has."""
    try:
        asked = os.WEXITED | os.WSTOPPED | os.WNOHANG | os.WNOWAIT | WALL
        state = os.waitid(os.P_ALL, 0, asked)
    except ChildProcessError:
        return 0
    return state.si_pid if state else 0


def read_event_message(tid: int) -> int:
    """Return the new thread's id at FORK, VFORK and CLONE, the former id at EXEC."""
    message = ctypes.c_ulong()
    _request(_GETEVENTMSG, tid, None, ctypes.addressof(message))
    return message.value


def read_call_stop(tid: int) -> CallStop:
    """Read at which call a tracee has stopped (PTRACE_GET_SYSCALL_INFO, Linux 5.3)."""
    info = _SyscallInfo()
    _request(_GET_SYSCALL_INFO, tid, ctypes.sizeof(info), ctypes.addressof(info))
    if info.op == CallPosition.ENTRY:
        return CallStop(CallPosition.ENTRY, info.arch, info.pointer, info.first, tuple(info.rest))
    if info.op == CallPosition.EXIT:
        result = info.first - (info.first >> 63 << 64)
        return CallStop(CallPosition.EXIT, info.arch, info.pointer, result=result)
    return CallStop(CallPosition.NONE, info.arch, info.pointer)


def read_each_filter(tid: int) -> Iterator[bytes]:
    """Read all filters of a stopped tracee, the oldest first, as arrays of struct sock_filter.

    The kernel counts from the oldest (kernel/seccomp.c, get_nth_filter), although ptrace(2) says
    that index 0 is the most recent. ENOENT ends the list.
    """
    for index in range(_MAX_FILTERS):
        try:
            yield _read_filter(tid, index)
        except OSError as error:
            # EINVAL: the thread has no filter at all.
            if error.errno in (errno.ENOENT, errno.EINVAL):
                return
            raise


def read_newest_filter(tid: int, count: int) -> bytes:
    """Read the filter that was loaded last in a stopped tracee.

    `count` is the number of its filters, 0 where it is not known.
    """
    return _read_filter(tid, (count or _count_filters(tid)) - 1)


def _read_filter(tid: int, index: int) -> bytes:
    length = _request(_SECCOMP_GET_FILTER, tid, index)
    buffer = ctypes.create_string_buffer(length * _INSTRUCTION)
    _request(_SECCOMP_GET_FILTER, tid, index, ctypes.addressof(buffer))
    return buffer.raw


def _count_filters(tid: int) -> int:
    """Count filters by asking for one index after the other, until there is none."""
    for index in itertools.count():
        try:
            _request(_SECCOMP_GET_FILTER, tid, index)
        except OSError as error:
            if error.errno == errno.ENOENT and index:
                return index
            raise
    raise AssertionError  # itertools.count() has no end


@overload
def await_stop(tid: int) -> TraceeStop: ...
@overload
def await_stop(tid: int, until: Callable[[], bool]) -> TraceeStop | None: ...
def await_stop(tid: int, until: Callable[[], bool] | None = None) -> TraceeStop | None:
    """Wait for the next stop; return None as soon as `until` is true without a stop.

    Raises StopTimeoutError after two seconds, ProcessLookupError if the thread ended.
    """
    deadline = time.monotonic() + _STOP_SECONDS
    flags = WALL | os.WSTOPPED | os.WEXITED | os.WNOHANG | os.WNOWAIT
    while True:
        # The end of the thread is left for its parent to wait for, which may be this process.
        state = os.waitid(os.P_PID, tid, flags)
        if state and state.si_code not in (os.CLD_TRAPPED, os.CLD_STOPPED):
            raise ProcessLookupError
        if state:
            return _interpret_status(os.waitpid(tid, WALL)[1])
        if until and until():
            return None
        if time.monotonic() > deadline:
            raise StopTimeoutError
        time.sleep(0.0001)


def _interpret_status(status: int) -> TraceeStop:
    number, event = os.WSTOPSIG(status), status >> 16
    if event == TraceEvent.STOP:
        return TraceeStop(0, group=number != signal.SIGTRAP)
    if number == _CALL_STOP:
        return TraceeStop(0, at_call=True)
    return TraceeStop(0 if event else number)
