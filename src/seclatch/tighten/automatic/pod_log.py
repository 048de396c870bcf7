"""A line of a pod's container that matches a regular expression: the kubelet's log files.

Their lines have a time, a stream and a flag before the program's own words (CRI, "Container
Logging").
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from seclatch.recording.ready.log_pattern import LinePattern
from seclatch.recording.ready.ready_condition import ReadyCondition, ReadyView

LOGS = Path("/var/log/pods")
_BLOCK, _BLOCKS, _MAX_LINE = 1 << 16, 64, 1 << 16


class PodLogPattern(ReadyCondition):
    """Follows the newest log file of a container, from its beginning; one file a start."""

    def __init__(self, text: str, expression: str, folder: Path) -> None:
        super().__init__(text)
        self._pattern = LinePattern(text, expression)
        self._folder = folder
        self._path: Path | None = None
        self._fd = -1
        self._rest = b""

    def is_met(self, view: ReadyView) -> bool:
        """Return whether a line has matched. A rotated file is followed by its successor."""
        for _ in range(_BLOCKS):
            block = os.read(self._fd, _BLOCK) if self._fd >= 0 else b""
            if not block:
                if not self._open_next():
                    return False
                continue
            *lines, self._rest = (self._rest + block).split(b"\n")
            if any(self._matches(line) for line in lines):
                return True
            self._rest = self._rest[-_MAX_LINE:]
        return False

    def _matches(self, line: bytes) -> bool:
        return self._pattern.search(b"", line.split(b" ", 3)[-1] + b"\n")[0]

    def _open_next(self) -> bool:
        """Open the file, or the one that has taken its place; False if there is nothing new."""
        with contextlib.suppress(OSError, ValueError):
            paths = [path for path in self._folder.iterdir() if path.suffix == ".log"]
            self._path = self._path or max(paths, key=lambda path: int(path.stem))
            fd = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
            if self._fd >= 0 and os.path.sameopenfile(fd, self._fd):
                os.close(fd)
                return False
            self.close()
            self._fd, self._rest = fd, b""
            return True
        return False

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
