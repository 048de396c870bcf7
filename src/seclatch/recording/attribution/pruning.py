"""Drop finished processes that do not belong to the recorded command, to bound memory.

A recording may last for days, and a busy host starts containers, exec sessions and health checks
all the time. Their processes are followed like the command's, since only later events show whether
they belong to it; but a process that has ended without being attributed by then never will be
(decision 0084).
"""

from __future__ import annotations

import time
from collections import Counter

from seclatch.recording.attribution.attribution import find_related
from seclatch.recording.trace.trace import Trace, TracedProcess

_MIN_GROWTH = 500
"""New processes after which the trace is searched again: a search visits all processes."""

_MIN_AGE_NS = 2_000_000_000
"""Nanoseconds after which no late event of an ended process is expected."""


class TracePruner:
    """Prunes a growing trace."""

    def __init__(self) -> None:
        self._kept_count = 0

    def update(self, trace: Trace) -> None:
        """Drop finished unrelated processes, if there may be many."""
        if len(trace.processes) - self._kept_count >= _MIN_GROWTH:
            trace.drop(find_unrelated(trace, time.monotonic_ns() - _MIN_AGE_NS))
            self._kept_count = len(trace.processes)


def find_unrelated(trace: Trace, before: int) -> list[int]:
    """Find the processes that do not belong to the command and ended before that time.

    `before` is in ns of CLOCK_MONOTONIC. All their descendants must have ended before it too.
    """
    kept = find_related(trace)
    children = Counter(process.parent for process in trace.processes.values())
    found: list[int] = []
    for number in sorted(trace.processes, reverse=True):  # children before parents
        process = trace.processes[number]
        unrelated = number not in kept and not process.found_running
        if unrelated and not children[number] and _has_ended(trace, process, before):
            found.append(number)
            children[process.parent] -= 1
    return found


def _has_ended(trace: Trace, process: TracedProcess, before: int) -> bool:
    if process.ended is None or process.ended >= before:
        return False
    return all(trace.segments[number].closed for number in process.segments)
