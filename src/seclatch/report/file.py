"""Files of results: whole, or as they were."""

from __future__ import annotations

import errno
import os
import re
import stat
from pathlib import Path

# Longer numbers are cut: that is no open file either, and no overflow.
_OPEN_FILES = re.compile(r"(?:/dev|/proc/(?:thread-)?self)/fd/(\d{1,9})\d*")
_STREAMS = {"-": 1, "/dev/stdout": 1, "/dev/stderr": 2}


def replace(path: Path, content: bytes, *, lasting: bool = False) -> None:
    """Write beside and rename: no reader sees half a file, and none is left on failure.

    A link stays one and its target is replaced; a file keeps its mode and owner, unless it was
    planted. A device, a pipe or an open file (`-`, /dev/stdout, /dev/fd/N) is written to: a rename
    would put a file in its place, for everybody on the host if that is /dev/null. `lasting`: the
    file outlives a crash of the host. Raises OSError.
    """
    _refuse_planted(path)
    descriptor = _descriptor(path)
    if descriptor is not None:
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
        beside.unlink()
        raise


def is_stream(path: Path) -> bool:
    """Does what is written there come after what was written before, instead of in its place?"""
    if _descriptor(path) is not None:
        return True
    return path.exists() and not path.is_file()


def _descriptor(path: Path) -> int | None:
    """The file of ours that a path names as open."""
    match = _OPEN_FILES.fullmatch(str(path))
    return int(match[1]) if match else _STREAMS.get(str(path))


def _be_like(fd: int, old: os.stat_result) -> None:
    """Who is not root may give files to nobody: then it is theirs."""
    if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()) and os.geteuid() == 0:
        os.fchown(fd, old.st_uid, old.st_gid)
    os.fchmod(fd, stat.S_IMODE(old.st_mode) & 0o777)


def _is_planted(old: os.stat_result, folder: Path) -> bool:
    """In /tmp a file of somebody else's stays theirs to change (proc_sys_fs(5), protected_regular):
    what replaces it is ours."""
    shared = folder.stat()
    if not shared.st_mode & stat.S_ISVTX or not shared.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return False
    return old.st_uid not in (os.geteuid(), shared.st_uid)


def _refuse_planted(path: Path) -> None:
    """In /tmp a link of somebody else's leads where that one wants (proc_sys_fs(5), symlinks)."""
    if path.is_symlink() and path.lstat().st_uid not in (0, os.geteuid()):
        raise PermissionError(errno.EACCES, "a link of another user's is not followed")
