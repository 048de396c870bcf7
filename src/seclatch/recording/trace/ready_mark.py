"""Split a trace in two phases at the moment when the program is ready.

Each counter is copied at that moment; what is counted later belongs to the running phase. A call in
which a thread still is goes on in that phase, and is counted there: a server that waits in
accept(2) or pause(2) enters it once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from seclatch.recording.trace.trace import CallKey, SegmentCounts, Trace

CallInFlight = tuple[int, CallKey]
"""A segment and the call that one of its threads is in."""


def mark_ready(trace: Trace, time: int, condition: str, in_flight: Iterable[CallInFlight]) -> None:
    """Begin the running phase at `time` (ns); a later mark replaces an earlier one.

    The counters must be up to date, and `in_flight` read after them. A call that began before the
    recording is in no counter: it is added.
    """
    trace.ready = (time, condition)
    for segment in trace.segments.values():
        segment.before_ready = SegmentCounts(
            Counter(segment.calls), Counter(segment.denied), Counter(segment.arguments)
        )
    for number, call in in_flight:
        segment = trace.segments[number]
        if not segment.calls.get(call):
            segment.calls[call] = 1
        elif segment.before_ready.calls[call] > 0:
            segment.before_ready.calls[call] -= 1
