"""Lines for people: equal denials are counted and not repeated."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TextIO

from seclatch.model.denial_log import LoggedDenial, LogLine, WatchEvent
from seclatch.watch.targets.denial_text import describe_denial
from seclatch.watch.targets.log_target import LogTarget

_REPEAT_SECONDS = 10.0
_MAX_HELD = 4096


@dataclass(slots=True)
class _Shown:
    """An equal denial: when a line of it was written last, and how many came since."""

    denial: LoggedDenial
    written: float
    count: int = 0


class TerminalLines(LogTarget):
    """Writes the first of equal denials at once, then their number every ten seconds."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._shown: OrderedDict[tuple[object, ...], _Shown] = OrderedDict()

    def write(self, line: LogLine) -> None:
        """Write a denial, or count it. Events are for logs; the command reports them itself."""
        if isinstance(line, WatchEvent):
            return
        key = _find_key(line)
        shown = self._shown.get(key)
        if shown is not None:
            shown.denial = line
            shown.count += line.count
            return
        self._shown[key] = _Shown(line, time.monotonic())
        self._print(line, f"  {line.count} times" if line.count > 1 else "")
        while len(self._shown) > _MAX_HELD:
            self._print_count(self._shown.popitem(last=False)[1])

    def flush(self) -> None:
        """Write the numbers that are due; forget what did not come again."""
        now = time.monotonic()
        for key, shown in list(self._shown.items()):
            if now - shown.written < _REPEAT_SECONDS:
                continue
            if not shown.count:
                del self._shown[key]
                continue
            self._print_count(shown)
            shown.written, shown.count = now, 0
        self._stream.flush()

    def close(self) -> None:
        """Write all numbers."""
        for shown in self._shown.values():
            self._print_count(shown)
        self._shown.clear()
        self._stream.flush()

    def _print_count(self, shown: _Shown) -> None:
        if shown.count:
            self._print(shown.denial, f"  {shown.count} more")

    def _print(self, denial: LoggedDenial, times: str) -> None:
        clock = denial.time.partition("T")[2][:8]
        self._stream.write(f"{clock}Z  {describe_denial(denial)}{times}\n")


def _find_key(denial: LoggedDenial) -> tuple[object, ...]:
    place = denial.container.id if denial.container else denial.unit
    what = (denial.arch, denial.number, tuple(denial.arguments), denial.answer, denial.errno)
    return (place, denial.exe or denial.comm, denial.stage, *what)
