"""A recording's events: forks, execs, filters, releases, denials, ends."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from seclatch.model import recording as model
from seclatch.recording.trace.event_kinds import Kind
from seclatch.recording.trace.numbering import View
from seclatch.recording.trace.syscall_names import Names
from seclatch.recording.trace.trace import Segment

_KINDS = {
    Kind.FORK: "fork",
    Kind.EXEC: "exec",
    Kind.FILTER: "filter",
    Kind.MEMBER: "found",
    Kind.JOINED: "joined",
}


def tell_events(view: View, names: Names) -> list[model.RecordedEvent]:
    """All of them, in order of time."""
    found = [*_changes(view), *_releases(view), *_denials(view, names), *_ends(view)]
    return sorted(found, key=lambda event: event.time)


def _changes(view: View) -> Iterator[model.RecordedEvent]:
    for segment in view.segments:
        if segment.kind in _KINDS:
            yield _event(view, segment, segment.time, _KINDS[segment.kind], segment.tid)


def _releases(view: View) -> Iterator[model.RecordedEvent]:
    for change in view.trace.suspensions:
        if found := view.told(change.segment):
            kind = "lifted" if change.lifted else "released"
            yield _event(view, found, change.time, kind, change.tid)


def _denials(view: View, names: Names) -> Iterator[model.RecordedEvent]:
    for denial in view.trace.denials:
        if found := view.told(denial.segment):
            event = _event(view, found, denial.time, "denial", denial.tid)
            call = names.call(*denial.call)
            yield msgspec.structs.replace(event, call=str(call), errno=denial.errno)


def _ends(view: View) -> Iterator[model.RecordedEvent]:
    for process in view.trace.processes.values():
        if process.ended is not None and process.id in view.ids:
            last = view.trace.segments[process.segments[-1]]
            yield _event(view, last, process.ended, "exit", process.pid)


def _event(view: View, segment: Segment, time: int, kind: str, thread: int) -> model.RecordedEvent:
    return model.RecordedEvent(
        time=view.seconds(time),
        kind=kind,
        process=view.ids[segment.process],
        thread=thread,
        stage=view.stage(segment).value,
        filters=segment.facts.filters,
    )
