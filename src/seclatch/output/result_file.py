"""Write result files atomically: a reader sees the old file or the whole new one."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import stat
import struct
import sys
from pathlib import Path

# Longer numbers are cut: that is no open file either, and no overflow.
_OPEN_FILES = re.compile(r"(?:/dev|/proc/(?:thread-)?self)/fd/(\d{1,9})\d*")
_OTHERS_LINK = "a link of another user's is not followed"
_FS_IOC_GETFLAGS = 2 << 30 | struct.calcsize("l") << 16 | ord("f") << 8 | 1  # <linux/fs.h>
_IMMUTABLE, _APPEND = 0x10, 0x20
_STREAMS = {"-": 1, "/dev/stdout": 1, "/dev/stderr": 2}


def replace_file(path: Path, content: bytes, *, lasting: bool = False) -> None:
    """Write a temporary file beside `path` and rename it; on failure none is left.

    A link stays one and its target is replaced; a file keeps its mode and owner, unless another
    user planted it. A device, a pipe or an open file (`-`, /dev/stdout, /dev/fd/N) is written to: a
    rename would put a file in its place, on the whole host if that is /dev/null. `lasting`: the
    file survives a crash of the host. Raises OSError.
    """
    _refuse_planted(path)
    descriptor = _descriptor(path)
    if descriptor is not None:
        _require_stream(descriptor)
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(content)
        return
    place = Path(os.path.realpath(path))
    old = place.stat() if place.exists() else None
    if old and not stat.S_ISREG(old.st_mode):
        place.write_bytes(content)
        return
    # Not by tempfile, whose imports take some 5 ms.
    beside = place.with_name(f".{place.name[:200]}.{os.urandom(6).hex()}")
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        with os.fdopen(fd, "wb") as file:
            if old and not _is_planted(old, place.parent):
                _be_like(fd, old)
            file.write(content)
            if lasting:
                file.flush()
                os.fsync(file.fileno())
        beside.replace(place)
    except BaseException:
        with contextlib.suppress(OSError):  # the first error counts
            beside.unlink()
        raise


def is_stream(path: Path) -> bool:
    """Return whether output is appended there instead of replacing the content."""
    if _descriptor(path) is not None:
        return True
    return path.exists() and not path.is_file()


def find_obstacle(path: Path) -> str:
    """Return why `replace_file` would fail, as far as known beforehand; "" if it would not."""
    if (descriptor := _descriptor(path)) is not None:
        return _why_not_open(descriptor)
    try:
        return _why_not_there(path)
    except PermissionError:  # a directory above it may not be searched
        return "no permission to look there"
    except OSError as error:
        return error.strerror or str(error)


def _why_not_there(path: Path) -> str:
    if path.is_symlink() and _is_of_another_user(path):
        return _OTHERS_LINK
    place = Path(os.path.realpath(path))
    if not place.parent.is_dir():
        link = f"it is a link to {place}, and " if path.is_symlink() else ""
        return f"{link}there is no such directory"
    if place.is_dir():
        return "it is a directory"
    if place.exists() and not place.is_file():
        return "" if os.access(place, os.W_OK) else "no permission to write to it"
    return _why_not_renamed(place)


def _why_not_renamed(place: Path) -> str:
    if os.statvfs(place.parent).f_flag & os.ST_RDONLY:
        return "the file system is read-only"
    if not os.access(place.parent, os.W_OK | os.X_OK):
        return "no permission to write there"
    if place.exists() and not _may_replace(place):
        return "it is another user's, in a directory for all"
    kept = next((path for path in (place.parent, place) if _is_kept(path)), None)
    return f"{kept} is immutable or append-only (chattr)" if kept else ""


def _why_not_open(descriptor: int) -> str:
    try:
        _require_stream(descriptor)
        mode = fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE
    except OSError:
        return "there is no such open file"
    return "it is open for reading only" if mode == os.O_RDONLY else ""


def _may_replace(place: Path) -> bool:
    """Return whether the sticky bit permits it: in /tmp only owners rename (inode(7), S_ISVTX)."""
    folder = place.parent.stat()
    owners = (0, place.stat().st_uid, folder.st_uid)
    return not folder.st_mode & stat.S_ISVTX or os.geteuid() in owners


def _is_kept(path: Path) -> bool:
    """Return whether an attribute (ioctl_iflags(2)) prevents a rename to or in it."""
    with contextlib.suppress(OSError):
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            flags = fcntl.ioctl(fd, _FS_IOC_GETFLAGS, bytes(struct.calcsize("l")))
            return bool(struct.unpack_from("=I", flags)[0] & (_IMMUTABLE | _APPEND))
        finally:
            os.close(fd)
    return False


def _descriptor(path: Path) -> int | None:
    """Return the open descriptor of this process that a path names."""
    match = _OPEN_FILES.fullmatch(str(path))
    return int(match[1]) if match else _STREAMS.get(str(path))


def _require_stream(descriptor: int) -> None:
    """Raise OSError for a stream that was closed at the start: its number may be reused by now."""
    if {1: sys.stdout, 2: sys.stderr}.get(descriptor, sys) is None:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))


def _be_like(fd: int, old: os.stat_result) -> None:
    """Copy mode and owner; a process without root cannot give files away and keeps its own."""
    if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()) and os.geteuid() == 0:
        with contextlib.suppress(
            OSError
        ):  # root of a user namespace without such an id may not, either
            os.fchown(fd, old.st_uid, old.st_gid)
    os.fchmod(fd, stat.S_IMODE(old.st_mode) & 0o777)


def _is_planted(old: os.stat_result, folder: Path) -> bool:
    """Return whether another user owns the old file in a sticky directory such as /tmp.

    Its owner could still change it (proc_sys_fs(5), protected_regular): the new file is ours.
    """
    shared = folder.stat()
    if not shared.st_mode & stat.S_ISVTX or not shared.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return False
    return old.st_uid not in (os.geteuid(), shared.st_uid)


def _refuse_planted(path: Path) -> None:
    """Refuse another user's link in a sticky directory (proc_sys_fs(5), protected_symlinks)."""
    if path.is_symlink() and _is_of_another_user(path):
        raise PermissionError(errno.EACCES, _OTHERS_LINK)


def _is_of_another_user(link: Path) -> bool:
    return link.lstat().st_uid not in (0, os.geteuid())
