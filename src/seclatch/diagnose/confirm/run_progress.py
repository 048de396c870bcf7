"""Say what further runs are made, and limit their time."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from seclatch.diagnose.confirm.describe_runs import join_names

_LEAST_SECONDS, _TIMES_LONGER = 15.0, 4
"""Limit of one run: seconds, or times the first one's length, whichever is more."""

_ALL_SECONDS, _ALL_TIMES = 60.0, 8
"""Limit of all runs together, likewise; of those that were not asked for, the seconds alone."""

_QUIET_SECONDS = 1.0
_STDERR = 2


class RunProgress:
    """Counts the further runs of a command, and limits their time; the first took `seconds`."""

    def __init__(self, notify: Callable[[str], None], seconds: float, *, automatic: bool) -> None:
        self._notify = notify
        self._automatic = automatic
        self._of_one = max(_LEAST_SECONDS, seconds * _TIMES_LONGER)
        self._of_all = _ALL_SECONDS if automatic else max(_ALL_SECONDS, seconds * _ALL_TIMES)
        self._began = self._said = time.monotonic()
        self._runs = 0

    @property
    def is_spent(self) -> bool:
        """Return whether all runs together took as long as they may."""
        return self._left() <= 0

    def _left(self) -> float:
        return self._began + self._of_all - time.monotonic()

    def announce(self, suspect: str) -> None:
        """Say that there will be further runs."""
        undo = "--confirm never: one run only" if self._automatic else "ctrl-C ends that"
        self._notify(f"running the command again, also with {suspect} allowed, to be sure; {undo}")

    def begin_run(self, allowed: frozenset[str]) -> tuple[str, float]:
        """Return the number of the next run and its limit; say so on a terminal, once a second."""
        self._runs += 1
        if os.isatty(_STDERR) and time.monotonic() - self._said > _QUIET_SECONDS:
            self._said = time.monotonic()
            how = f"with {join_names(sorted(allowed))} allowed" if allowed else "as it is"
            self._notify(f"run {self._runs}, {how}; ctrl-C ends that")
        return str(self._runs), min(self._of_one, max(self._left(), 0))

    def describe_limit(self) -> str:
        """Return why there are no more runs."""
        return f"the further runs took more than {self._of_all:.0f} s together"
