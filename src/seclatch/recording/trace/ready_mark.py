"""Split a trace in two phases at the moment when the program is ready.

Each counter is copied at that moment; what is counted later belongs to the running phase. A call in
which a thread still is goes on in that phase, and is counted there: a server that waits in
accept(2) or pause(2) enters it once.

A process that begins later (a worker) starts, too: it sets its user, opens files. It is taken for
settled a second after its program began, and its counters are copied once more then.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from seclatch.model.recording.process_role import SETTLE_SECONDS
from seclatch.recording.trace.event_kinds import EventKind
from seclatch.recording.trace.trace import CallKey, Segment, SegmentCounts, Trace

CallInFlight = tuple[int, CallKey]
"""A segment and the call that one of its threads is in."""


def mark_ready(trace: Trace, time: int, condition: str, in_flight: Iterable[CallInFlight]) -> None:
    """Begin the running phase at `time` (ns); a later mark replaces an earlier one.

    The counters must be up to date, and `in_flight` read after them. A call that began before the
    recording is in no counter: it is added.
    """
    trace.ready = (time, condition)
    for segment in trace.segments.values():
        segment.before_ready = _copy_counts(segment)
        segment.before_settled = None
    in_flight = list(in_flight)
    for number, call in in_flight:
        segment = trace.segments[number]
        if not segment.calls.get(call):
            segment.calls[call] = 1
        elif segment.before_ready.calls[call] > 0:
            segment.before_ready.calls[call] -= 1
    settle_processes(trace, list_unsettled(trace, time), in_flight)


def list_unsettled(trace: Trace, time: int) -> list[int]:
    """Return the living processes that have started by `time` (ns) and are not marked so yet."""
    latest = time - SETTLE_SECONDS * 10**9
    return [each for each in sorted(trace.living) if _is_due(trace, each, latest)]


def _is_due(trace: Trace, process: int, latest: int) -> bool:
    last = trace.segments[trace.processes[process].segments[-1]]
    found = last.kind is EventKind.MEMBER  # it had begun before the recording
    return last.before_settled is None and (found or last.time <= latest)


def settle_processes(
    trace: Trace, processes: Iterable[int], in_flight: Iterable[CallInFlight]
) -> None:
    """Mark processes as settled: what they do from now on is their steady work.

    The counters must be up to date, and `in_flight` read after them.
    """
    settled = {segment.id: segment for segment in _list_segments(trace, processes)}
    for segment in settled.values():
        segment.before_settled = _copy_counts(segment)
    for number, call in in_flight:
        found = settled.get(number)
        if found is None or found.before_settled is None:
            continue
        if not found.calls.get(call):
            found.calls[call] = 1
        elif found.before_settled.calls[call] > 0:
            found.before_settled.calls[call] -= 1


def _list_segments(trace: Trace, processes: Iterable[int]) -> Iterator[Segment]:
    for process in processes:
        for number in trace.processes[process].segments:
            segment = trace.segments[number]
            if segment.before_settled is None:
                yield segment


def _copy_counts(segment: Segment) -> SegmentCounts:
    return SegmentCounts(
        Counter(segment.calls), Counter(segment.denied), Counter(segment.arguments)
    )
