"""A file that is locked (flock(2)) for as long as one of the processes lives that have it open.

The lock belongs to the open file, which children inherit, and ends with the last descriptor: by
SIGKILL, too. So another process sees when all of them are gone. Any name is possible in the folder:
a file has no other one before it is locked, and is written beside the folder.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_SIZE = 1 << 12


@dataclass(frozen=True, slots=True)
class HeldFile:
    """A file that this process has locked."""

    path: Path
    fd: int

    def read(self) -> bytes:
        """Return its content. Raises OSError."""
        return os.pread(self.fd, _SIZE, 0)

    def leave(self) -> None:
        """Close it. The lock stays while another process has it open."""
        os.close(self.fd)

    def is_current(self) -> bool:
        """Return whether the name is still this file's: no later one has taken its place."""
        with contextlib.suppress(OSError):
            return os.path.samestat(os.fstat(self.fd), self.path.lstat())
        return False

    def remove(self) -> None:
        """Remove the file, if its name is not another one's by now, and close it."""
        with contextlib.suppress(OSError), _lock_names(self.path.parent):
            if self.is_current():
                self.path.unlink()
        os.close(self.fd)


def hold_file(path: Path, content: bytes) -> HeldFile:
    """Write the file, locked before it has its name. Raises OSError."""
    folder = path.parent
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = folder.with_name(f"{folder.name}.new.{os.getpid()}")
    fd = os.open(part, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.write(fd, content)
        with _lock_names(folder):
            part.rename(path)
    except BaseException:
        os.close(fd)
        part.unlink(missing_ok=True)
        raise
    return HeldFile(path, fd)


def take_released_files(folder: Path) -> Iterator[HeldFile]:
    """Lock each file that no living process holds, and return it; none where there is no folder."""
    with contextlib.suppress(OSError):
        for path in sorted(folder.iterdir()):
            if found := _take(path):
                yield found


def _take(path: Path) -> HeldFile | None:
    with contextlib.suppress(OSError):
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if (found := HeldFile(path, fd)).is_current():  # not removed since it was opened
                return found
        except OSError:
            pass
        os.close(fd)
    return None


@contextlib.contextmanager
def _lock_names(folder: Path) -> Iterator[None]:
    """Let no other process rename or remove there: a look and what is done upon it are one.

    The folder is its owner's alone, since a user that may open it may lock it. Raises OSError.
    """
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
