"""List the programs of an image that no_new_privs keeps from gaining privileges."""

from __future__ import annotations

import contextlib
import os
import stat
import time
from dataclasses import dataclass

_SECONDS = 10.0
_MAX_FILES = 500_000
_CAPABILITY = "security.capability"


@dataclass(slots=True)
class SetuidPrograms:
    """Paths within the root directory; `complete`: all files were looked at."""

    paths: list[str]
    complete: bool = True


def list_setuid_programs(pid: int) -> SetuidPrograms:
    """List set-uid and set-gid programs, and those with file capabilities, of a process's root.

    Links are not followed, and other file systems below are left out. Bounded in time and files.
    """
    found = SetuidPrograms([])
    deadline, seen = time.monotonic() + _SECONDS, 0
    try:
        root = os.open(f"/proc/{pid}/root/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return SetuidPrograms([], complete=False)
    try:
        device = os.fstat(root).st_dev
        for folder, folders, files, fd in os.fwalk(".", dir_fd=root, follow_symlinks=False):
            seen += len(files)
            if time.monotonic() > deadline or seen > _MAX_FILES:
                found.complete = False
                break
            folders[:] = [name for name in folders if _is_on(fd, name, device)]
            place = folder[1:] + "/"
            found.paths += [place + name for name in files if _gains(fd, name)]
    finally:
        os.close(root)
    found.paths.sort()
    return found


def _is_on(folder: int, name: str, device: int) -> bool:
    with contextlib.suppress(OSError):
        return os.stat(name, dir_fd=folder, follow_symlinks=False).st_dev == device
    return False


def _gains(folder: int, name: str) -> bool:
    with contextlib.suppress(OSError):
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if not stat.S_ISREG(status.st_mode) or not status.st_mode & 0o111:
            return False
        if status.st_mode & stat.S_ISUID:
            return True
        if status.st_mode & stat.S_ISGID and status.st_mode & stat.S_IXGRP:
            return True
        path = f"/proc/self/fd/{folder}/{name}"
        return _CAPABILITY in os.listxattr(path, follow_symlinks=False)
    return False
