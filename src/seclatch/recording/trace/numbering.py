"""The part of a trace that goes into the recording, renumbered."""

from __future__ import annotations

from collections.abc import Callable

from seclatch.model.stage import Stage
from seclatch.recording.trace.assign_stages import StageAssignment, list_ancestry
from seclatch.recording.trace.event_kinds import EventKind
from seclatch.recording.trace.trace import Segment, Trace

_RANKS = {stage: rank for rank, stage in enumerate(Stage)}  # in order of a start


class NumberedTrace:
    """The segments of what was recorded, without those of the recorder itself.

    `ids` numbers their processes; `seconds` converts a time of the trace (ns) to seconds since the
    recording began.
    """

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
        """Return a segment by its number, if it goes into the recording."""
        found = self.trace.segments.get(segment)
        return found if found and found.kind != EventKind.ROOT else None

    def stage(self, segment: Segment) -> Stage:
        """Return the stage of a segment."""
        return self.staging.stages[segment.id]

    def rank_before(self, segment: Segment) -> int:
        """Return the rank of the stage from which the segment's program was exec'd.

        Calls that a tracer makes in place of a program that has not begun count for the runtime,
        for which the latch makes them.
        """
        for ancestor in list_ancestry(self.trace, segment):
            before = self.find_segment(ancestor.parent)
            if ancestor.kind == EventKind.EXEC and before:
                return self.rank(before)
        return self.rank(segment)

    def rank(self, segment: Segment) -> int:
        """Return the stage as a number: counting with enumeration keys is much slower."""
        return _RANKS[self.staging.stages[segment.id]]
