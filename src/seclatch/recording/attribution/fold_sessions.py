"""Fold exec sessions that have ended into the first of their kind, to bound memory.

A pod with an exec probe has one every few seconds: some 100,000 processes in five hours. Sessions
that executed the same programs with the same arguments are of one kind. The first one is kept as it
was; the counts of later ones are added to its own, process by process, and nothing else of them is
kept (decision 0127).
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from seclatch.recording.attribution.exec_sessions import ExecSessions
from seclatch.recording.trace.assign_stages import SELF_EXEC_PREFIXES
from seclatch.recording.trace.trace import Segment, Trace

_MIN_GROWTH = 200
"""New processes after which sessions are looked through again."""

_MIN_AGE_NS = 2_000_000_000
"""Nanoseconds after which no late event of an ended process is expected."""

_MOST_KINDS = 1000
"""Limit of kinds; sessions beyond it (with random arguments, say) are of one kind by file alone."""

_ProcessKind = tuple[int, tuple[tuple[object, ...], ...]]
SessionKind = tuple[_ProcessKind, ...]
"""Of each process: the place of its parent among them, and what it executed."""


class SessionFolder:
    """Folds the ended sessions of a growing trace."""

    def __init__(self) -> None:
        self._kept_count = 0
        self._first: dict[SessionKind, list[int]] = {}
        self._kept: set[int] = set()

    def update(self, trace: Trace, sessions: ExecSessions) -> None:
        """Fold and drop what has ended, if there may be much."""
        if self.is_due(trace):
            self.fold(trace, sessions, time.monotonic_ns() - _MIN_AGE_NS)
            self._kept_count = len(trace.processes)

    def is_due(self, trace: Trace) -> bool:
        """Return whether there may be much to fold."""
        return len(trace.processes) - self._kept_count >= _MIN_GROWTH

    def fold(self, trace: Trace, sessions: ExecSessions, before: int) -> None:
        """Fold sessions that ended before that time (ns of CLOCK_MONOTONIC).

        Processes that only named the container are dropped.
        """
        sessions.update(trace)
        unrelated = sessions.find_unrelated(trace)
        done: list[int] = []
        for caller, processes in sessions.list_trees().items():
            if caller in self._kept or not _have_ended(trace, processes, before):
                continue
            if caller in unrelated or self._fold_one(trace, sessions, processes):
                done += processes
            else:
                self._kept.add(caller)
        trace.drop(done)
        sessions.forget(trace, done)

    def _fold_one(self, trace: Trace, sessions: ExecSessions, processes: list[int]) -> bool:
        """Add a session's counts to the first of its kind; False if it is the first."""
        loose = len(self._first) >= _MOST_KINDS
        kind = _describe(trace, sessions, processes, loose=loose)
        first = self._first.setdefault(kind, processes)
        if first is processes:
            return False
        for kept, process in zip(first, processes, strict=True):
            trace.folded[kept] = trace.folded.get(kept, 0) + 1
            pairs = zip(_list_segments(trace, kept), _list_segments(trace, process), strict=True)
            for segment, other in pairs:
                _add_counts(trace, segment, other)
        return True


def _have_ended(trace: Trace, processes: Iterable[int], before: int) -> bool:
    for number in processes:
        ended = trace.processes[number].ended
        if ended is None or ended >= before:
            return False
        if not all(segment.closed for segment in _list_segments(trace, number)):
            return False
    return True


def _describe(
    trace: Trace, sessions: ExecSessions, processes: list[int], *, loose: bool
) -> SessionKind:
    place = {number: index for index, number in enumerate(processes)}
    return tuple(
        (
            place.get(trace.processes[number].parent or -1, -1),
            tuple(
                _describe_segment(segment, inside=sessions.is_inside(segment.facts) and not loose)
                for segment in _list_segments(trace, number)
            ),
        )
        for number in processes
    )


def _describe_segment(segment: Segment, *, inside: bool) -> tuple[object, ...]:
    """Return what makes segments equal; a runtime's arguments have names that are used once."""
    file = "" if segment.file.startswith(SELF_EXEC_PREFIXES) else segment.file
    return segment.kind, file, segment.argv if inside else (), segment.facts.filters


def _list_segments(trace: Trace, process: int) -> list[Segment]:
    return [trace.segments[number] for number in trace.processes[process].segments]


def _add_counts(trace: Trace, segment: Segment, other: Segment) -> None:
    before = segment.bulk
    segment.calls.update(other.calls)
    segment.denied.update(other.denied)
    segment.injected.update(other.injected)
    segment.arguments.update(other.arguments)
    segment.denied_arguments.update(other.denied_arguments)
    trace.bulk += segment.bulk - before
