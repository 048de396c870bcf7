"""Check what a recording's types do not: times of a clock, known stages and architectures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from seclatch.model.arch import Arch
from seclatch.model.recording.recording import (
    RecordedArgument,
    RecordedCalls,
    RecordedDenial,
    Recording,
    RoleArgument,
    RoleCalls,
)
from seclatch.model.stage import Stage

MAX_TIME = 1e12
"""Seconds; sums of larger times overflow where they are drawn."""

_Row = RecordedCalls | RecordedDenial | RecordedArgument
_STAGES = {stage.value for stage in Stage}


def find_fault(recording: Recording) -> tuple[str, str] | None:
    """Return the place of the first fault and what is wrong; None if there is none."""
    if not all(abs(time) < MAX_TIME for time in _list_times(recording)):
        return "", "not a recording: it has times that no clock has"
    if wrong := _find_wrong_count(recording):
        return wrong
    for place, stage in _list_stages(recording):
        if stage not in _STAGES:
            return place, f"there is no stage {stage!r}"
    for place, name in _list_architectures(recording):
        try:
            Arch.parse(name)
        except ValueError as error:
            return place, str(error)
    return None


def _find_wrong_count(recording: Recording) -> tuple[str, str] | None:
    if recording.runs < 1:
        return "runs", "less than 1"
    for place, rows in _list_counts(recording):
        if not all(0 <= row.running <= row.count for row in rows):
            return f"{place}[].running", "more than count, or less than 0"
    for place, numbered in (("calls", recording.calls), ("denials", recording.denials)):
        if any(row.runs < 1 for row in numbered):
            return f"{place}[].runs", "less than 1"
    for role in recording.roles:
        rows_of_role: list[RoleCalls | RoleArgument] = [*role.calls, *role.arguments]
        if any(row.count < 0 for row in rows_of_role):
            return "roles[].calls[].count", "less than 0"
    return None


def _list_times(recording: Recording) -> Iterator[float]:
    yield recording.duration
    yield recording.ready.time if recording.ready else 0.0
    for process in recording.processes:
        yield process.began
        yield process.ended or 0.0
        yield from (image.time for image in process.images)
        yield from (moment.time for moment in process.contexts)
    yield from (event.time for event in recording.events)
    yield from (time for gap in recording.gaps for time in (gap.began, gap.ended))


def _list_counts(recording: Recording) -> Iterator[tuple[str, Sequence[_Row]]]:
    yield "calls", recording.calls
    yield "denials", recording.denials
    yield "arguments", recording.arguments


def _list_stages(recording: Recording) -> Iterator[tuple[str, str]]:
    """Yield each stage once per kind of row: there may be very many rows."""
    images = {image.stage for process in recording.processes for image in process.images}
    yield from (("processes[].images[].stage", stage) for stage in sorted(images))
    for place, rows in (
        ("events", recording.events),
        ("calls", recording.calls),
        ("denials", recording.denials),
        ("arguments", recording.arguments),
        ("denied_arguments", recording.denied_arguments),
    ):
        yield from ((f"{place}[].stage", stage) for stage in sorted({row.stage for row in rows}))


def _list_architectures(recording: Recording) -> Iterator[tuple[str, str]]:
    yield from (("hosts[].arch", arch) for arch in sorted({host.arch for host in recording.hosts}))
    for place, rows in (
        ("calls", recording.calls),
        ("denials", recording.denials),
        ("arguments", recording.arguments),
        ("denied_arguments", recording.denied_arguments),
    ):
        yield from ((f"{place}[].arch", arch) for arch in sorted({row.arch for row in rows}))
    used = {row.arch for role in recording.roles for row in role.calls}
    used |= {row.arch for role in recording.roles for row in role.arguments}
    yield from (("roles[].calls[].arch", arch) for arch in sorted(used))
