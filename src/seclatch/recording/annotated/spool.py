"""The directory of recordings of annotated containers, within limits on number and size.

The directory belongs to root alone, so no other user can put a link or file in the way. One
recorder writes to it: it holds a lock on the file `.recorder`, in which its socket's path is, and
which the kernel releases when it ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import msgspec

from seclatch.errors import SeclatchError
from seclatch.model.recorder_limits import RecorderLimits
from seclatch.recording.annotated.annotation import AnnotationRequest

_LOG = "log"
_MAX_LOG = 1 << 18
_OWNER = ".recorder"
SUFFIX = ".json.gz"
STATE_PREFIX, STATE_SUFFIX = ".running-", ".json"
"""Of the file beside a recording that is being written (`running_state`)."""


class SpoolOwner(msgspec.Struct, frozen=True, kw_only=True):
    """The recorder that writes to the directory: its pid, and its socket."""

    pid: int
    socket: str


class SpoolLimitError(SeclatchError):
    """A limit of the spool has been reached."""


class SpoolBusyError(SeclatchError):
    """Another recorder writes to the spool."""


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

    def lock(self, socket: str) -> int:
        """Become the directory's recorder; the descriptor must be kept. Raises SeclatchError."""
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(self.path / _OWNER, flags, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            raise SpoolBusyError(
                f"opening {self.path}: another recorder writes to it", remedy="stop that one first"
            ) from None
        content = msgspec.json.encode(SpoolOwner(pid=os.getpid(), socket=socket))
        # A full disk must not end the recorder. Written over what is there: one that is truncated
        # first may get no block any more.
        with contextlib.suppress(OSError):
            os.ftruncate(fd, os.pwrite(fd, content, 0))
        return fd

    def find_owner(self) -> SpoolOwner | None:
        """Return the running recorder; None if there is none."""
        path = self.path / _OWNER
        with contextlib.suppress(OSError, msgspec.DecodeError), path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return msgspec.json.decode(file.read(1 << 16), type=SpoolOwner)
        return None

    def choose_path(self, request: AnnotationRequest, running: Collection[str]) -> Path:
        """Choose an unused file name; `running`: those of recordings that may have no file yet.

        Raises SpoolLimitError, OSError.
        """
        if len(running) >= self.limits.at_once:
            raise SpoolLimitError(f"{len(running)} containers are being recorded already")
        taken = {recorded.name for recorded in self.list_recordings()} | set(running)
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

    def list_running(self) -> set[str]:
        """Return the names of recordings that this recorder, or the next one, will write to."""
        states = self.path.glob(f"{STATE_PREFIX}*{STATE_SUFFIX}")
        return {path.name.removeprefix(STATE_PREFIX).removesuffix(STATE_SUFFIX) for path in states}

    def require_room(self, path: Path, size: int) -> None:
        """Raise SpoolLimitError if the file may not be replaced by so many bytes."""
        others = sum(
            _read_size(recorded) for recorded in self.list_recordings() if recorded != path
        )
        if others + size > self.limits.size:
            raise SpoolLimitError(
                f"recordings would take {others + size} bytes, {self.limits.size} are allowed"
            )

    def log(self, sentence: str) -> None:
        """Append a line to the log, which is bounded."""
        path = self.path / _LOG
        with contextlib.suppress(OSError):
            if path.exists() and path.stat().st_size > _MAX_LOG:
                path.replace(path.with_suffix(".old"))
            line = f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {sentence}\n"
            with path.open("a") as file:
                file.write(line)


def _read_size(path: Path) -> int:
    with contextlib.suppress(FileNotFoundError):  # removed by the user
        return path.stat().st_size
    return 0
