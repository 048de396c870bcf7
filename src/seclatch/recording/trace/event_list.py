"""A recording's events: forks, execs, filters, releases, denials, ends."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from seclatch.model import recording as model
from seclatch.recording.trace.event_kinds import EventKind
from seclatch.recording.trace.numbering import NumberedTrace
from seclatch.recording.trace.syscall_names import SyscallNames
from seclatch.recording.trace.trace import Segment

_KINDS = {
    EventKind.FORK: "fork",
    EventKind.EXEC: "exec",
    EventKind.FILTER: "filter",
    EventKind.MEMBER: "found",
    EventKind.JOINED: "joined",
}


def list_events(view: NumberedTrace, names: SyscallNames) -> list[model.RecordedEvent]:
    """All of them, in order of time."""
    found = [*_changes(view), *_releases(view), *_denials(view, names), *_ends(view)]
    return sorted(found, key=lambda event: event.time)


def _changes(view: NumberedTrace) -> Iterator[model.RecordedEvent]:
    for segment in view.segments:
        if segment.kind in _KINDS:
            yield _event(view, segment, segment.time, _KINDS[segment.kind], segment.tid)


def _releases(view: NumberedTrace) -> Iterator[model.RecordedEvent]:
    for change in view.trace.suspensions:
        if found := view.told(change.segment):
            kind = "lifted" if change.lifted else "released"
            yield _event(view, found, change.time, kind, change.tid)


def _denials(view: NumberedTrace, names: SyscallNames) -> Iterator[model.RecordedEvent]:
    for denial in view.trace.denials:
        if found := view.told(denial.segment):
            event = _event(view, found, denial.time, "denial", denial.tid)
            call = names.call(*denial.call)
            yield msgspec.structs.replace(event, call=str(call), errno=denial.errno)


def _ends(view: NumberedTrace) -> Iterator[model.RecordedEvent]:
    for process in view.trace.processes.values():
        if process.ended is not None and process.id in view.ids:
            last = view.trace.segments[process.segments[-1]]
            yield _event(view, last, process.ended, "exit", process.pid)


def _event(
    view: NumberedTrace, segment: Segment, time: int, kind: str, thread: int
) -> model.RecordedEvent:
    return model.RecordedEvent(
        time=view.seconds(time),
        kind=kind,
        process=view.ids[segment.process],
        thread=thread,
        stage=view.stage(segment).value,
        filters=segment.facts.filters,
    )
