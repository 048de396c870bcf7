"""When a file was made: statx(2) by ctypes, which Python's os.stat does not have."""

from __future__ import annotations

import ctypes
import os
import struct

_AT_FDCWD = -100
_AT_SYMLINK_NOFOLLOW = 0x100
_STATX_BTIME = 0x800
_SIZE, _MASK, _BIRTH = 256, struct.Struct("=I"), struct.Struct("=qI")
_BIRTH_OFFSET = 80

_libc = ctypes.CDLL(None, use_errno=True)


def read_birth_time(path: str) -> int | None:
    """Return when a file was made, in ns of CLOCK_REALTIME, without following a symbolic link.

    None where its file system does not keep that (Linux 4.11 for ext4, 6.0 for tmpfs), or where
    there is no such file.
    """
    if not hasattr(_libc, "statx"):  # musl before 1.2.4
        return None
    buffer = ctypes.create_string_buffer(_SIZE)
    flags, name = _AT_SYMLINK_NOFOLLOW, os.fsencode(path)
    if _libc.statx(_AT_FDCWD, name, flags, _STATX_BTIME, buffer) != 0:
        return None
    (mask,) = _MASK.unpack_from(buffer)
    seconds, nanoseconds = _BIRTH.unpack_from(buffer, _BIRTH_OFFSET)
    return seconds * 1_000_000_000 + nanoseconds if mask & _STATX_BTIME else None
