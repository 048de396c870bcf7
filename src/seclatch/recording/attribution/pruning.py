"""What daemons did for others is let go of once it is over: a recording may last for days.

A busy host starts containers, exec sessions and healthchecks all the time. Their processes are
followed like the command's, for whose they are is known only by what comes later; but what has
ended, and was not asked for by then, never will be.
"""

from __future__ import annotations

import time
from collections import Counter

from seclatch.recording.attribution.attribution import find_related
from seclatch.recording.trace.trace import Trace, TracedProcess

_MANY = 500
"""So many processes more are worth a look: it goes through all that there are."""

_AGE = 2_000_000_000
"""Nanoseconds after which nothing more is heard of what has ended."""


class TracePruner:
    """Looks at a trace while it grows."""

    def __init__(self) -> None:
        self._left = 0

    def update(self, trace: Trace) -> None:
        """Drop what is over and foreign, if there may be much of it."""
        if len(trace.processes) - self._left >= _MANY:
            trace.drop(find_unrelated(trace, time.monotonic_ns() - _AGE))
            self._left = len(trace.processes)


def find_unrelated(trace: Trace, before: int) -> list[int]:
    """The processes that belong to nobody in the recording, and ended before that time (ns of
    CLOCK_MONOTONIC), as has all that came from them."""
    kept = find_related(trace)
    children = Counter(process.parent for process in trace.processes.values())
    found: list[int] = []
    for number in sorted(trace.processes, reverse=True):  # children before parents
        process = trace.processes[number]
        foreign = number not in kept and not process.found_running
        if foreign and not children[number] and _is_over(trace, process, before):
            found.append(number)
            children[process.parent] -= 1
    return found


def _is_over(trace: Trace, process: TracedProcess, before: int) -> bool:
    if process.ended is None or process.ended >= before:
        return False
    return all(trace.segments[number].closed for number in process.segments)
