"""Stop and go of tracees: ptrace(2) requests for following system calls. Linux 5.3.

Every function raises OSError; ESRCH when the tracee was killed meanwhile, which can happen at any
time.
"""

from __future__ import annotations

import ctypes
import errno
import itertools
import os
from dataclasses import dataclass
from enum import IntEnum
from functools import cache

SYSCALL = 24
DETACH = 17
_GETEVENTMSG = 0x4201
_SEIZE = 0x4206
_INTERRUPT = 0x4207
LISTEN = 0x4208
_SECCOMP_GET_FILTER = 0x420C
_GET_SYSCALL_INFO = 0x420E

WALL = 0x40000000
"""__WALL for waitpid: children made by clone(2), too."""


class Option(IntEnum):
    """PTRACE_O_*: what the tracee stops at, and that it takes its descendants along."""

    SYSGOOD = 1
    FORK = 1 << 1
    VFORK = 1 << 2
    CLONE = 1 << 3
    EXEC = 1 << 4


FOLLOW = Option.SYSGOOD | Option.FORK | Option.VFORK | Option.CLONE | Option.EXEC


class Stop(IntEnum):
    """PTRACE_EVENT_*, in the third byte of a status."""

    FORK = 1
    VFORK = 2
    CLONE = 3
    EXEC = 4
    STOP = 128


class At(IntEnum):
    """PTRACE_SYSCALL_INFO_*: where in a call the tracee has stopped."""

    NOWHERE = 0
    ENTRY = 1
    EXIT = 2


class _Info(ctypes.Structure):
    """struct ptrace_syscall_info, <linux/ptrace.h>: at an entry `first` is the number and `rest`
    the arguments, at an exit `first` is the result."""

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
class Info:
    """A stop at a call: `arch` is AUDIT_ARCH_*, `number` and `args` are known at its entry,
    `result` (with its sign) at its exit."""

    at: At
    arch: int
    pointer: int
    number: int = 0
    args: tuple[int, ...] = ()
    result: int = 0


@cache
def _ptrace() -> ctypes._NamedFuncPointer:
    function = ctypes.CDLL(None, use_errno=True).ptrace
    function.restype = ctypes.c_long
    function.argtypes = [ctypes.c_ulong, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    return function


def _call(request: int, tid: int, address: int | None = None, data: int | None = None) -> int:
    result = int(_ptrace()(request, tid, address, data))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def seize(tid: int, options: int = FOLLOW) -> None:
    """Become the thread's tracer; it is not stopped."""
    _call(_SEIZE, tid, None, options)


def resume(tid: int, request: int, signal: int = 0) -> None:
    """Let a stopped tracee go on (SYSCALL, LISTEN, DETACH), with a signal delivered."""
    _call(request, tid, None, signal)


def interrupt(tid: int) -> None:
    """Have a running tracee stop."""
    _call(_INTERRUPT, tid)


def peek() -> int:
    """A child or tracee that has stopped or ended and was not waited for, which it stays; 0 if
    there is none."""
    try:
        asked = os.WEXITED | os.WSTOPPED | os.WNOHANG | os.WNOWAIT | WALL
        news = os.waitid(os.P_ALL, 0, asked)
    except ChildProcessError:
        return 0
    return news.si_pid if news else 0


def event_message(tid: int) -> int:
    """The new thread's id at FORK, VFORK and CLONE; the former one at EXEC."""
    message = ctypes.c_ulong()
    _call(_GETEVENTMSG, tid, None, ctypes.addressof(message))
    return message.value


def call_info(tid: int) -> Info:
    """Tell at which call a tracee has stopped, and where in it."""
    info = _Info()
    _call(_GET_SYSCALL_INFO, tid, ctypes.sizeof(info), ctypes.addressof(info))
    if info.op == At.ENTRY:
        return Info(At.ENTRY, info.arch, info.pointer, info.first, tuple(info.rest))
    if info.op == At.EXIT:
        result = info.first - (info.first >> 63 << 64)
        return Info(At.EXIT, info.arch, info.pointer, result=result)
    return Info(At.NOWHERE, info.arch, info.pointer)


def newest_filter(tid: int, count: int) -> bytes:
    """The filter that was loaded last in a stopped tracee, as an array of struct sock_filter.

    The kernel counts them from the oldest (kernel/seccomp.c, get_nth_filter), although ptrace(2)
    says that index 0 is the most recent. `count`: how many there are, 0 where nothing tells.
    """
    index = (count or _count_filters(tid)) - 1
    length = _call(_SECCOMP_GET_FILTER, tid, index)
    buffer = ctypes.create_string_buffer(length * 8)
    _call(_SECCOMP_GET_FILTER, tid, index, ctypes.addressof(buffer))
    return buffer.raw


def _count_filters(tid: int) -> int:
    """By asking for one after the other, until there is none."""
    for index in itertools.count():
        try:
            _call(_SECCOMP_GET_FILTER, tid, index)
        except OSError as error:
            if error.errno == errno.ENOENT and index:
                return index
            raise
    raise AssertionError  # itertools.count() has no end
