"""openat2(2): open a path inside a directory whose content is not trusted."""

from __future__ import annotations

import ctypes
import errno
import os
import struct

_SYS_OPENAT2 = 437  # the same on every architecture: numbers were unified in Linux 5.1
_RESOLVE_NO_MAGICLINKS = 0x02
_RESOLVE_IN_ROOT = 0x10

_libc = ctypes.CDLL(None, use_errno=True)


def open_in_root(root: int, path: str, flags: int) -> int:
    """Open `path` with the directory `root` (a file descriptor) as its `/`, close-on-exec.

    Symbolic links and `..` cannot lead out of `root`, even if they change meanwhile: the kernel
    resolves them there (RESOLVE_IN_ROOT, Linux 5.6). Raises OSError: ENOSYS on older kernels.
    """
    how = struct.pack("QQQ", flags | os.O_CLOEXEC, 0, _RESOLVE_IN_ROOT | _RESOLVE_NO_MAGICLINKS)
    while True:
        fd = _libc.syscall(
            ctypes.c_long(_SYS_OPENAT2), root, os.fsencode(path), how, ctypes.c_size_t(len(how))
        )
        number = ctypes.get_errno()
        # EAGAIN: a rename elsewhere raced with `..`; the kernel asks to try again (openat2(2)).
        if fd >= 0 or number not in (errno.EINTR, errno.EAGAIN):
            break
    if fd < 0:
        raise OSError(number, os.strerror(number), path)
    return int(fd)
