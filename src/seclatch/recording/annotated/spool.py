"""The directory in which recordings of annotated containers are kept, within limits.

It is root's alone, so nobody else can put a link or a file in the way. What recorders at work
share are files there: each holds one of `at_once` slots by a lock, which ends with it however it
ends, and has written into it who it is and how its file will be called. That reserves the name:
there is no file before there is a recording. Slots are looked at and taken by one at a time.
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
from seclatch.model.recorder_limits import RecorderLimits
from seclatch.recording.annotated.annotation import AnnotationRequest

_LOG = "log"
_MAX_LOG = 1 << 18
_TRIES, _PAUSE = 200, 0.005
SUFFIX = ".json.gz"


class SpoolSlot(msgspec.Struct, frozen=True, kw_only=True):
    """A recorder at work: its pid, what it records, into which file of the directory."""

    pid: int
    name: str
    identifier: str
    file: str


class SpoolLimitError(SeclatchError):
    """A limit has been reached."""


@dataclass(frozen=True, slots=True)
class RecordingSpool:
    """Its directory must be there, made at install."""

    limits: RecorderLimits

    @property
    def path(self) -> Path:
        """The directory."""
        return Path(self.limits.directory)

    def require_private(self) -> None:
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

    def claim_slot(self, request: AnnotationRequest) -> tuple[int, Path]:
        """Take one of the slots and choose a file that nobody has. The slot's descriptor is to be
        kept open. Raises LimitError, OSError."""
        with self._alone():
            slot = self._take_slot()
            try:
                path = self._choose(request)
                entry = SpoolSlot(
                    pid=os.getpid(),
                    name=request.name,
                    identifier=request.identifier,
                    file=path.name,
                )
                os.ftruncate(slot, 0)
                os.pwrite(slot, msgspec.json.encode(entry), 0)
            except BaseException:
                os.close(slot)
                raise
            return slot, path

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """While no other recorder counts or takes anything. Raises LimitError, OSError."""
        folder = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _lock(folder)
            yield
        finally:
            os.close(folder)

    def _take_slot(self) -> int:
        for number in range(self.limits.at_once):
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            fd = os.open(self.path / f".slot-{number}", flags, 0o600)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(fd)
                continue
            os.ftruncate(fd, 0)  # what a dead recorder has left
            return fd
        raise SpoolLimitError(f"{self.limits.at_once} containers are being recorded already")

    def _choose(self, request: AnnotationRequest) -> Path:
        taken = {recorded.name for recorded in self.list_recordings()} | {
            recorded.file for recorded in self._look()
        }
        if len(taken) >= self.limits.recordings:
            raise SpoolLimitError(f"there are {self.limits.recordings} recordings already")
        moment = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
        for number in range(1000):
            more = f"-{number}" if number else ""
            name = f"{request.name}-{request.short_id}-{moment}{more}{SUFFIX}"
            if name not in taken:
                return self.path / name
        raise SpoolLimitError(f"every name like {name} is taken")

    def list_recordings(self) -> list[Path]:
        """All recordings, the unfinished ones too."""
        return [path for path in self.path.iterdir() if path.name.endswith(SUFFIX)]

    def require_room(self, path: Path, size: int) -> None:
        """Whether so many bytes may replace what is in the file. Raises LimitError."""
        others = sum(_size(recorded) for recorded in self.list_recordings() if recorded != path)
        if others + size > self.limits.size:
            raise SpoolLimitError(
                f"recordings would take {others + size} bytes, {self.limits.size} are allowed"
            )

    def list_running(self) -> list[SpoolSlot]:
        """The recorders at work. Raises LimitError, OSError."""
        with self._alone():  # who takes a slot meanwhile would find it locked by us
            return [*self._look()]

    def _look(self) -> Iterator[SpoolSlot]:
        """The slots that are locked, and have been written into."""
        for path in sorted(self.path.glob(".slot-*")):
            with contextlib.suppress(OSError, msgspec.DecodeError), path.open("rb") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    yield msgspec.json.decode(file.read(1 << 16), type=SpoolSlot)

    def log(self, sentence: str) -> None:
        """Write a line into the log, which is bounded."""
        path = self.path / _LOG
        with contextlib.suppress(OSError):
            if path.exists() and path.stat().st_size > _MAX_LOG:
                path.replace(path.with_suffix(".old"))
            line = f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {sentence}\n"
            with path.open("a") as file:
                file.write(line)


def _lock(folder: int) -> None:
    """Not for ever: whoever has the lock may be stopped, and a container's start waits for us."""
    for _ in range(_TRIES):
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        time.sleep(_PAUSE)
    raise SpoolLimitError("another recorder has kept the directory locked for a second")


def _size(path: Path) -> int:
    with contextlib.suppress(FileNotFoundError):  # taken away meanwhile
        return path.stat().st_size
    return 0
