"""JSON lines on a stream."""

from __future__ import annotations

import io
from typing import BinaryIO

from seclatch.model.denial_log import LogLine, encode_line
from seclatch.watch.targets.log_target import LogTarget


class JsonLines(LogTarget):
    """Writes each line at once."""

    def __init__(self, stream: BinaryIO | io.RawIOBase) -> None:
        self._stream = stream

    def write(self, line: LogLine) -> None:
        """Write a line."""
        self._stream.write(encode_line(line))

    def flush(self) -> None:
        """Hand over what is buffered."""
        self._stream.flush()

    def close(self) -> None:
        """Hand over what is buffered."""
        self._stream.flush()
