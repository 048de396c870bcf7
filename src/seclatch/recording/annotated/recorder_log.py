"""The recorder's messages: to the spool's log, and to standard error, the service's journal."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass

from seclatch.output.printable_text import make_printable
from seclatch.recording.annotated.spool import RecordingSpool


@dataclass(frozen=True, slots=True)
class RecorderLog:
    """Messages may contain text of containers: they are made printable."""

    spool: RecordingSpool

    def write(self, sentence: str) -> None:
        """Write a line to both."""
        line = make_printable(sentence)
        self.spool.log(line)
        with contextlib.suppress(OSError):
            print(line, file=sys.stderr, flush=True)


def describe_error(error: Exception) -> str:
    """Return an error's message, and its remedy if it has one."""
    remedy = getattr(error, "remedy", "")
    return f"{error}" + (f"; {remedy}" if remedy else "")
