"""Read a live process's filters: PTRACE_SECCOMP_GET_FILTER, ptrace(2), Linux 4.4."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from seclatch.errors import SeclatchError

PTRACE_DETACH = 17
PTRACE_SEIZE = 0x4206
PTRACE_INTERRUPT = 0x4207
PTRACE_SECCOMP_GET_FILTER = 0x420C
_WALL = 0x40000000  # __WALL: wait for threads too
_INSTRUCTION = 8  # sizeof(struct sock_filter)

_REMEDY = (
    "needs root in the initial user namespace (CAP_SYS_ADMIN), no seccomp on the caller, "
    "and a kernel with CONFIG_CHECKPOINT_RESTORE and CONFIG_SECCOMP_FILTER"
)


@cache
def _ptrace() -> ctypes._NamedFuncPointer:
    function = ctypes.CDLL(None, use_errno=True).ptrace
    function.restype = ctypes.c_long
    function.argtypes = [ctypes.c_ulong, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    return function


def _call(request: int, pid: int, address: int = 0, data: int | None = None) -> int:
    ctypes.set_errno(0)
    result = int(_ptrace()(request, pid, address, data))
    number = ctypes.get_errno()
    if result < 0 and number:
        raise OSError(number, os.strerror(number))
    return result


def read_filters(tid: int) -> list[bytes]:
    """The programs that bind thread `tid`, the most recently loaded first.

    Each is an array of struct sock_filter in this machine's byte order. The thread is stopped for
    the reading and goes on afterwards.
    """
    try:
        with _stopped(tid):
            return list(_filters(tid))
    except OSError as error:
        doing = f"reading the seccomp filters of process {tid}: {error.strerror}"
        raise SeclatchError(doing, remedy=_REMEDY) from error


def _filters(tid: int) -> Iterator[bytes]:
    """ENOENT ends the list: `address` counts from the newest filter."""
    for index in range(1 << 16):
        try:
            length = _call(PTRACE_SECCOMP_GET_FILTER, tid, index)
        except OSError as error:
            # EINVAL: the thread has no filter at all (kernel/seccomp.c, get_nth_filter).
            if error.errno in (errno.ENOENT, errno.EINVAL):
                return
            raise
        buffer = ctypes.create_string_buffer(length * _INSTRUCTION)
        _call(PTRACE_SECCOMP_GET_FILTER, tid, index, ctypes.addressof(buffer))
        yield buffer.raw


@contextmanager
def _stopped(tid: int) -> Iterator[None]:
    """Seize and interrupt: unlike PTRACE_ATTACH it sends the program no signal."""
    _call(PTRACE_SEIZE, tid)
    try:
        _call(PTRACE_INTERRUPT, tid)
        os.waitpid(tid, _WALL)
        yield
    finally:
        try:
            _call(PTRACE_DETACH, tid)
        except OSError as error:
            if error.errno != errno.ESRCH:  # it died meanwhile
                raise
