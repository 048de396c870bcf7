"""The events of a recording: forks, execs, filters, releases, denials, ends."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from seclatch.model.recording import recording as model
from seclatch.recording.trace.event_kinds import EventKind
from seclatch.recording.trace.numbering import NumberedTrace
from seclatch.recording.trace.syscall_names import SyscallNames
from seclatch.recording.trace.trace import Segment

_KIND_NAMES = {
    EventKind.FORK: "fork",
    EventKind.EXEC: "exec",
    EventKind.FILTER: "filter",
    EventKind.MEMBER: "found",
    EventKind.JOINED: "joined",
}


def list_events(numbered: NumberedTrace, names: SyscallNames) -> list[model.RecordedEvent]:
    """Return all events in order of time."""
    found = [
        *_list_segments(numbered),
        *_list_suspensions(numbered),
        *_list_denials(numbered, names),
        *_list_exits(numbered),
    ]
    return sorted(found, key=lambda event: event.time)


def _list_segments(numbered: NumberedTrace) -> Iterator[model.RecordedEvent]:
    for segment in numbered.segments:
        if segment.kind in _KIND_NAMES:
            yield _make_event(
                numbered, segment, segment.time, _KIND_NAMES[segment.kind], segment.tid
            )


def _list_suspensions(numbered: NumberedTrace) -> Iterator[model.RecordedEvent]:
    for change in numbered.trace.suspensions:
        if found := numbered.find_segment(change.segment):
            kind = "lifted" if change.lifted else "released"
            yield _make_event(numbered, found, change.time, kind, change.tid)


def _list_denials(numbered: NumberedTrace, names: SyscallNames) -> Iterator[model.RecordedEvent]:
    for denial in numbered.trace.denials:
        if found := numbered.find_segment(denial.segment):
            event = _make_event(numbered, found, denial.time, "denial", denial.tid)
            call = names.find_syscall(*denial.call)
            yield msgspec.structs.replace(event, call=str(call), errno=denial.errno)


def _list_exits(numbered: NumberedTrace) -> Iterator[model.RecordedEvent]:
    for process in numbered.trace.processes.values():
        if process.ended is not None and process.id in numbered.ids:
            last = numbered.trace.segments[process.segments[-1]]
            yield _make_event(numbered, last, process.ended, "exit", process.pid)


def _make_event(
    numbered: NumberedTrace, segment: Segment, time: int, kind: str, thread: int
) -> model.RecordedEvent:
    return model.RecordedEvent(
        time=numbered.seconds(time),
        kind=kind,
        process=numbered.ids[segment.process],
        thread=thread,
        stage=numbered.stage(segment).value,
        filters=segment.facts.filters,
    )
