"""A cache from one run to the next; without it runs only start slower."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path
from typing import TypeVar

_MAX_SIZE = 1 << 16
_Content = TypeVar("_Content")


def _folder() -> Path:
    if os.geteuid() == 0:
        return Path("/run/seclatch")
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "seclatch"


def read_cached(name: str, kind: type[_Content]) -> _Content | None:
    """Read a cached value; only from a file that no other user can have written."""
    import msgspec

    content = read_cached_bytes(name)
    try:
        return None if content is None else msgspec.json.decode(content, type=kind)
    except msgspec.MsgspecError:
        return None


def read_cached_bytes(name: str) -> bytes | None:
    """Read a cached file; only one that no other user can have written."""
    try:
        fd = os.open(_folder() / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(fd, "rb") as file:
            status = os.fstat(fd)
            ours = status.st_uid == os.geteuid() and not status.st_mode & 0o022
            if not ours or not stat.S_ISREG(status.st_mode):
                return None
            return file.read(_MAX_SIZE)
    except OSError:
        return None


def write_cached(name: str, content: bytes) -> None:
    """Write a value to the cache, if possible and not too large."""
    if len(content) >= _MAX_SIZE:
        return
    with contextlib.suppress(OSError):
        folder = _folder()
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        beside = folder / f"{name}.{os.getpid()}"
        fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        with os.fdopen(fd, "wb") as file:
            file.write(content)
        beside.replace(folder / name)
