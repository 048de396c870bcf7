"""Files of results: whole, or as they were."""

from __future__ import annotations

import errno
import os
from pathlib import Path


def replace(path: Path, content: bytes, *, lasting: bool = False) -> None:
    """Write beside and rename: no reader sees half a file, and none is left on failure.

    A link stays one and its target is replaced. A device or a pipe is written to: a rename would
    put a file in its place, for everybody on the host if that is /dev/null. `lasting`: the file
    outlives a crash of the host. Raises OSError.
    """
    place = Path(os.path.realpath(path))
    _refuse_planted(path)
    if place.exists() and not place.is_file():
        place.write_bytes(content)
        return
    # Not by tempfile, whose imports take some 5 ms.
    beside = place.with_name(f".{place.name[:200]}.{os.urandom(6).hex()}")
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(content)
            if lasting:
                file.flush()
                os.fsync(file.fileno())
        beside.replace(place)
    except BaseException:
        beside.unlink()
        raise


def _refuse_planted(path: Path) -> None:
    """In /tmp a link of somebody else's leads where that one wants (proc_sys_fs(5), symlinks)."""
    if path.is_symlink() and path.lstat().st_uid not in (0, os.geteuid()):
        raise PermissionError(errno.EACCES, "a link of another user's is not followed")
