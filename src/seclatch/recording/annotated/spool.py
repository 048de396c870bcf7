"""The directory of recordings of annotated containers, within limits on number and size.

The directory belongs to root alone, so no other user can put a link or file in the way. Recorders
share its state in files: each holds a lock on one of `at_once` slots, which the kernel releases
when it ends, and writes its pid and the name of its recording into the slot. That reserves the name
before the file exists. Slots are listed and taken under one lock on the directory.
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
    """A running recorder: its pid, the name and id of what it records, and its file's name."""

    pid: int
    name: str
    identifier: str
    file: str


class SpoolLimitError(SeclatchError):
    """A limit of the spool has been reached."""


@dataclass(frozen=True, slots=True)
class RecordingSpool:
    """The spool; its directory must exist (made at install)."""

    limits: RecorderLimits

    @property
    def path(self) -> Path:
        """Return the directory."""
        return Path(self.limits.directory)

    def require_private(self) -> None:
        """Raise SeclatchError if other users could write to the directory or read it."""
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
        """Take a free slot and choose an unused file name.

        The slot's descriptor must be kept open. Raises SpoolLimitError, OSError.
        """
        with self._lock_directory():
            slot = self._take_slot()
            try:
                path = self._choose_path(request)
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
    def _lock_directory(self) -> Iterator[None]:
        """Hold the directory's lock. Raises SpoolLimitError, OSError."""
        folder = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _take_lock(folder)
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
            os.ftruncate(fd, 0)  # left by a recorder that has ended
            return fd
        raise SpoolLimitError(f"{self.limits.at_once} containers are being recorded already")

    def _choose_path(self, request: AnnotationRequest) -> Path:
        taken = {recorded.name for recorded in self.list_recordings()} | {
            recorded.file for recorded in self._list_locked()
        }
        if len(taken) >= self.limits.recordings:
            raise SpoolLimitError(f"there are {self.limits.recordings} recordings already")
        moment = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
        for number in range(1000):
            more = f"-{number}" if number else ""
            name = f"{request.name}-{request.short_id}-{moment}{more}{SUFFIX}"
            if name not in taken:
                return self.path / name
        raise SpoolLimitError(f"all names like {name} are taken")

    def list_recordings(self) -> list[Path]:
        """Return all recordings, unfinished ones too."""
        return [path for path in self.path.iterdir() if path.name.endswith(SUFFIX)]

    def require_room(self, path: Path, size: int) -> None:
        """Raise SpoolLimitError if the file may not be replaced by so many bytes."""
        others = sum(
            _read_size(recorded) for recorded in self.list_recordings() if recorded != path
        )
        if others + size > self.limits.size:
            raise SpoolLimitError(
                f"recordings would take {others + size} bytes, {self.limits.size} are allowed"
            )

    def list_running(self) -> list[SpoolSlot]:
        """Return the running recorders. Raises SpoolLimitError, OSError."""
        with (
            self._lock_directory()
        ):  # _look takes shared locks, which would hide a free slot from others
            return [*self._list_locked()]

    def _list_locked(self) -> Iterator[SpoolSlot]:
        """Yield the slots that are locked and have been written."""
        for path in sorted(self.path.glob(".slot-*")):
            with contextlib.suppress(OSError, msgspec.DecodeError), path.open("rb") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    yield msgspec.json.decode(file.read(1 << 16), type=SpoolSlot)

    def log(self, sentence: str) -> None:
        """Append a line to the log, which is bounded."""
        path = self.path / _LOG
        with contextlib.suppress(OSError):
            if path.exists() and path.stat().st_size > _MAX_LOG:
                path.replace(path.with_suffix(".old"))
            line = f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {sentence}\n"
            with path.open("a") as file:
                file.write(line)


def _take_lock(folder: int) -> None:
    """Lock the directory within a second: a stopped recorder must not block a container's start."""
    for _ in range(_TRIES):
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        time.sleep(_PAUSE)
    raise SpoolLimitError("another recorder has kept the directory locked for a second")


def _read_size(path: Path) -> int:
    with contextlib.suppress(FileNotFoundError):  # removed by the user
        return path.stat().st_size
    return 0
