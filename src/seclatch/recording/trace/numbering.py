"""What of a trace is told, by the recording's own numbers, times and stages."""

from __future__ import annotations

from collections.abc import Callable

from seclatch.model.stage import Stage
from seclatch.recording.trace.assign_stages import StageAssignment, list_ancestry
from seclatch.recording.trace.event_kinds import EventKind
from seclatch.recording.trace.trace import Segment, Trace

_RANKS = {stage: rank for rank, stage in enumerate(Stage)}  # in order of a start


class NumberedTrace:
    """`segments` are those of what was recorded and not of the recorder; `ids` number their
    processes; `seconds` makes of a time of the trace (ns) one since the recording began."""

    def __init__(
        self, trace: Trace, staging: StageAssignment, seconds: Callable[[int], float]
    ) -> None:
        self.trace = trace
        self.staging = staging
        self.seconds = seconds
        self.segments = [
            segment for segment in trace.segments.values() if segment.kind != EventKind.ROOT
        ]
        shown = {segment.process for segment in self.segments}
        self.ids = {
            process.id: number
            for number, process in enumerate(p for p in trace.processes.values() if p.id in shown)
        }

    def find_segment(self, segment: int) -> Segment | None:
        """A segment by its number, if it is one of those."""
        found = self.trace.segments.get(segment)
        return found if found and found.kind != EventKind.ROOT else None

    def stage(self, segment: Segment) -> Stage:
        """What the segment is in the start."""
        return self.staging.stages[segment.id]

    def rank_before(self, segment: Segment) -> int:
        """The stage from which its program was exec'd: what a tracer does in the place of a program
        that has not begun is still the runtime's work, for which the latch does it."""
        for ancestor in list_ancestry(self.trace, segment):
            before = self.find_segment(ancestor.parent)
            if ancestor.kind == EventKind.EXEC and before:
                return self.rank(before)
        return self.rank(segment)

    def rank(self, segment: Segment) -> int:
        """Its stage as a number: keys of enumerations take most of the time of counting."""
        return _RANKS[self.staging.stages[segment.id]]
