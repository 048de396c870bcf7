"""A cache from one run to the next; without it runs only start slower."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path
from typing import TypeVar

import msgspec

_MAX_SIZE = 1 << 16
_Content = TypeVar("_Content")


def _folder() -> Path:
    if os.geteuid() == 0:
        return Path("/run/seclatch")
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "seclatch"


def read_cached(name: str, kind: type[_Content]) -> _Content | None:
    """Read a cached value; only from a file that no other user can have written."""
    try:
        fd = os.open(_folder() / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(fd, "rb") as file:
            status = os.fstat(fd)
            ours = status.st_uid == os.geteuid() and not status.st_mode & 0o022
            if not ours or not stat.S_ISREG(status.st_mode):
                return None
            return msgspec.json.decode(file.read(_MAX_SIZE), type=kind)
    except (OSError, msgspec.MsgspecError):
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
