"""Lines for another part of this program."""

from __future__ import annotations

from collections.abc import Callable

from seclatch.model.denial_log import LogLine
from seclatch.watch.targets.log_target import LogTarget


class CollectedLines(LogTarget):
    """Passes each line on."""

    name = "this command"

    def __init__(self, take: Callable[[LogLine], None]) -> None:
        self._take = take

    def write(self, line: LogLine) -> None:
        """Pass it on."""
        self._take(line)
