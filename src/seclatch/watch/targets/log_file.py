"""A log file of JSON lines, rotated by size."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from seclatch.errors import SeclatchError
from seclatch.model.denial_log import LogLine, encode_line
from seclatch.watch.targets.log_target import LogTarget

MODE = 0o600
"""Denials show what programs do, with paths: for the owner alone."""


class LogFile(LogTarget):
    """Appends whole lines. At `size` bytes FILE becomes FILE.1, which becomes FILE.2, until `keep`.

    A line that could not be written as a whole is taken back. While rotation fails, or another
    program has moved the file, older files are kept.
    """

    def __init__(self, path: Path, *, size: int, keep: int) -> None:
        """Raise SeclatchError if the file cannot be opened."""
        self._path = path
        self._limit = size
        self._keep = keep
        self.name = f"the log {path}"
        self._descriptor = -1
        self._size = self._due = 0
        self._notes: list[str] = []
        self.reopen()

    def write(self, line: LogLine) -> None:
        """Append a line; what the file system does not take is counted."""
        content = encode_line(line)
        if self._size and self._size + len(content) > max(self._limit, self._due):
            self._rotate()
        try:
            written = os.write(self._descriptor, content)
        except OSError as error:
            self._fail(error.strerror or str(error))
            return
        if written < len(content):
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, self._size)
            self._fail("no space left on device")
            return
        self._size += written

    def close(self) -> None:
        """Close the file; what was written survives a crash of the host."""
        with contextlib.suppress(OSError):
            os.fsync(self._descriptor)
        os.close(self._descriptor)

    def reopen(self) -> None:
        """Open the path anew: after another program has moved the file. Raise SeclatchError."""
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            opened = os.open(self._path, flags | os.O_NONBLOCK, MODE)
        except OSError as error:
            raise SeclatchError(f"opening the log {self._path}: {error.strerror}") from error
        status = os.fstat(opened)
        if not stat.S_ISREG(status.st_mode) or status.st_uid not in (0, os.geteuid()):
            os.close(opened)
            raise SeclatchError(
                f"opening the log {self._path}: it is no file of this user's",
                remedy="choose another path; for a pipe, use --json on standard output",
            )
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor, self._size, self._due = opened, status.st_size, 0
        self._mend()

    def take_notes(self) -> list[str]:
        """Return why rotation failed since the last time."""
        notes, self._notes = self._notes, []
        return notes

    def _fail(self, reason: str) -> None:
        self.failed += 1
        self.reason = reason

    def _rotate(self) -> None:
        """Rename the file, at `keep` 0 empty it. On failure it grows by another `size`."""
        try:
            if not self._keep:
                os.ftruncate(self._descriptor, 0)
                self._size = self._due = 0
                return
            if self._is_in_place():
                self._shift()
            self.reopen()
        except (OSError, SeclatchError) as error:
            self._due = self._size + self._limit
            reason = error.strerror if isinstance(error, OSError) else error
            self._notes = [f"rotating the log {self._path}: {reason}; it grows further"]

    def _is_in_place(self) -> bool:
        """Return whether the path still is the file that is written."""
        try:
            at_path = self._path.lstat()
        except FileNotFoundError:
            return False
        return os.path.samestat(at_path, os.fstat(self._descriptor))

    def _shift(self) -> None:
        """Rename files up to the first free number: a failure leaves one, and loses no more."""
        older = range(1, self._keep)
        free = next((at for at in older if not os.path.lexists(self._numbered(at))), self._keep)
        for number in range(free - 1, 0, -1):
            self._numbered(number).replace(self._numbered(number + 1))
        self._path.replace(self._numbered(1))

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")

    def _mend(self) -> None:
        """Begin a new line where a crash of the host has left half of one."""
        if not self._size:
            return
        with contextlib.suppress(OSError):
            if os.pread(self._descriptor, 1, self._size - 1) != b"\n":
                self._size += os.write(self._descriptor, b"\n")
