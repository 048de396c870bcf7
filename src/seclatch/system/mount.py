"""mount(2), umount2(2) and unshare(2) by ctypes: os.unshare comes with Python 3.12."""

from __future__ import annotations

import ctypes
import os

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_REC = 1 << 14
MS_SLAVE = 1 << 19

_MNT_DETACH = 2
_CLONE_NEWNS = 0x00020000

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, path: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), path)


def unshare_mounts() -> None:
    """Give this process a mount namespace of its own that still receives the host's changes.

    Slave, not private: what the host unmounts meanwhile must not stay busy because of this process,
    while nothing that it mounts appears on the host (mount_namespaces(7)). Raises OSError: EPERM
    without CAP_SYS_ADMIN.
    """
    _check(_libc.unshare(_CLONE_NEWNS), "mount namespace")
    mount("none", "/", "", MS_REC | MS_SLAVE)


def mount(source: str, target: str, filesystem: str, flags: int = 0, data: str = "") -> None:
    """Call mount(2); `data` is the file system's own option string. Raises OSError."""
    arguments = [os.fsencode(text) or None for text in (source, target, filesystem)]
    _check(_libc.mount(*arguments, ctypes.c_ulong(flags), os.fsencode(data) or None), target)


def unmount(target: str) -> None:
    """Detach the mount at `target`, even while it is in use. Raises OSError."""
    _check(_libc.umount2(os.fsencode(target), _MNT_DETACH), target)
