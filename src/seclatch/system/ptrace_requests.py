"""ptrace(2) on one thread: the requests that reading its filters takes."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Iterator
from contextlib import suppress
from enum import Enum
from functools import cache

from seclatch.model.arch import Arch
from seclatch.model.syscall import load_syscalls

PTRACE_SYSCALL = 24
PTRACE_DETACH = 17
PTRACE_SEIZE = 0x4206
PTRACE_INTERRUPT = 0x4207
PTRACE_SECCOMP_GET_FILTER = 0x420C
PTRACE_GET_SYSCALL_INFO = 0x420E
_TRACESYSGOOD = 1
_SUSPEND_SECCOMP = 1 << 21
_ENTRY, _EXIT = 1, 2  # PTRACE_SYSCALL_INFO_*
_ERESTART_RESTARTBLOCK = 516  # <linux/errno.h>: what the kernel tells itself, and tracers
INSTRUCTION = 8  # sizeof(struct sock_filter)


@cache
def _ptrace() -> ctypes._NamedFuncPointer:
    function = ctypes.CDLL(None, use_errno=True).ptrace
    function.restype = ctypes.c_long
    function.argtypes = [ctypes.c_ulong, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    return function


def request(what: int, pid: int, address: int = 0, data: int | None = None) -> int:
    """Make one request. Raises OSError."""
    ctypes.set_errno(0)
    result = int(_ptrace()(what, pid, address, data))
    number = ctypes.get_errno()
    if result < 0 and number:
        raise OSError(number, os.strerror(number))
    return result


def seize(tid: int) -> bool:
    """Seize, with seccomp suspended if this kernel can."""
    try:
        request(PTRACE_SEIZE, tid, 0, _SUSPEND_SECCOMP | _TRACESYSGOOD)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        request(PTRACE_SEIZE, tid, 0, _TRACESYSGOOD)
        return False
    return True


def read_each(tid: int) -> Iterator[bytes]:
    """The thread's programs, the oldest first: so the kernel counts (kernel/seccomp.c,
    get_nth_filter), although ptrace(2) says that index 0 is the most recent. ENOENT ends it."""
    for index in range(1 << 16):
        try:
            length = request(PTRACE_SECCOMP_GET_FILTER, tid, index)
        except OSError as error:
            # EINVAL: the thread has no filter at all.
            if error.errno in (errno.ENOENT, errno.EINVAL):
                return
            raise
        buffer = ctypes.create_string_buffer(length * INSTRUCTION)
        request(PTRACE_SECCOMP_GET_FILTER, tid, index, ctypes.addressof(buffer))
        yield buffer.raw


class Place(Enum):
    """Where a tracee is stopped: at the entry of restart_syscall, at the end of a call that will be
    gone on with by it, or elsewhere."""

    RESTART = 1
    AGAIN = 2
    ELSEWHERE = 3


def find_place(tid: int) -> Place:
    """Where a tracee is stopped. struct ptrace_syscall_info, Linux 5.3; without it: ELSEWHERE."""
    buffer = ctypes.create_string_buffer(88)
    try:
        request(PTRACE_GET_SYSCALL_INFO, tid, len(buffer), ctypes.addressof(buffer))
    except OSError:
        return Place.ELSEWHERE
    kind, audit, number = struct.unpack_from("=B3xI16xQ", buffer)
    if kind == _EXIT:
        result = struct.unpack_from("=q", buffer, 24)[0]
        return Place.AGAIN if result == -_ERESTART_RESTARTBLOCK else Place.ELSEWHERE
    with suppress(ValueError, KeyError):
        restart = load_syscalls(Arch.from_audit(audit, number)).numbers["restart_syscall"]
        if kind == _ENTRY and number == restart:
            return Place.RESTART
    return Place.ELSEWHERE
