"""The directory in which recordings of annotated containers are kept, within limits.

It is root's alone, so nobody else can put a link or a file in the way. What recorders at work
share are files there: each holds one of `at_once` slots by a lock, which ends with it however it
ends, and has written into it who it is.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from seclatch.errors import SeclatchError
from seclatch.model.limits import Limits
from seclatch.record.annotation import Wish

_LOG = "log"
_MAX_LOG = 1 << 18
SUFFIX = ".json.gz"


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """A recorder at work: its pid, what it records, into which file of the directory."""

    pid: int
    name: str
    identifier: str
    file: str


class LimitError(SeclatchError):
    """A limit has been reached."""


@dataclass(frozen=True, slots=True)
class Depot:
    """Its directory must be there, made at install."""

    limits: Limits

    @property
    def path(self) -> Path:
        """The directory."""
        return Path(self.limits.directory)

    def check(self) -> None:
        """Refuse a directory that others could write to or look into. Raises SeclatchError."""
        try:
            status = self.path.stat(follow_symlinks=False)
        except OSError as error:
            raise SeclatchError(f"opening {self.path}: {error.strerror}") from error
        if status.st_uid != os.geteuid() or status.st_mode & 0o170077 != 0o040000:
            raise SeclatchError(
                f"opening {self.path}: it is not a directory of root's alone",
                remedy=f"chown root:root {self.path} && chmod 700 {self.path}",
            )

    def claim(self) -> int:
        """Take one of the slots; its descriptor is to be kept open. Raises LimitError, OSError."""
        for number in range(self.limits.at_once):
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            fd = os.open(self.path / f".slot-{number}", flags, 0o600)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(fd)
                continue
            return fd
        raise LimitError(f"{self.limits.at_once} containers are being recorded already")

    def reserve(self, slot: int, wish: Wish) -> Path:
        """Choose a file that nobody has, and write it down. Raises LimitError, OSError."""
        if len(self.recordings()) >= self.limits.recordings:
            raise LimitError(f"there are {self.limits.recordings} recordings already")
        moment = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
        for number in range(1000):
            more = f"-{number}" if number else ""
            path = self.path / f"{wish.name}-{wish.short}-{moment}{more}{SUFFIX}"
            with contextlib.suppress(FileExistsError):
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
                break
        else:
            raise LimitError(f"every name like {path.name} is taken")
        entry = Slot(pid=os.getpid(), name=wish.name, identifier=wish.identifier, file=path.name)
        os.ftruncate(slot, 0)
        os.pwrite(slot, msgspec.json.encode(entry), 0)
        return path

    def recordings(self) -> list[Path]:
        """All recordings, the unfinished ones too."""
        return [each for each in self.path.iterdir() if each.name.endswith(SUFFIX)]

    def require_room(self, path: Path, size: int) -> None:
        """Whether so many bytes may replace what is in the file. Raises LimitError."""
        others = sum(each.stat().st_size for each in self.recordings() if each != path)
        if others + size > self.limits.size:
            raise LimitError(
                f"recordings would take {others + size} bytes, {self.limits.size} are allowed"
            )

    def running(self) -> Iterator[Slot]:
        """The recorders at work: those that hold a lock."""
        for path in sorted(self.path.glob(".slot-*")):
            with contextlib.suppress(OSError, msgspec.DecodeError), path.open("rb") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    yield msgspec.json.decode(file.read(1 << 16), type=Slot)

    def note(self, sentence: str) -> None:
        """Write a line into the log, which is bounded."""
        path = self.path / _LOG
        with contextlib.suppress(OSError):
            if path.exists() and path.stat().st_size > _MAX_LOG:
                path.replace(path.with_suffix(".old"))
            line = f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {sentence}\n"
            with path.open("a") as file:
                file.write(line)
