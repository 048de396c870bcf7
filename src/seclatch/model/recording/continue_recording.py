"""Join two parts of one recording: before the recorder ended, and after it was started again.

The later part found the container running, and has a ready mark of its own if the earlier one has.
Its processes are added to the earlier part's, with
times from the beginning of the whole; what lies between is a gap.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime

import msgspec

from seclatch.model.recording.recorded_roles import merge_roles
from seclatch.model.recording.recording import (
    LostCounts,
    RecordedArgument,
    RecordedContainer,
    RecordedEvent,
    RecordedProcess,
    RecordedSession,
    Recording,
    RecordingGap,
    list_container_names,
)

_Value = tuple[str, str, str, int, int]
_replace = msgspec.structs.replace


def continue_recording(before: Recording, after: Recording) -> Recording:
    """Return the whole recording; `after` began later, on the same container."""
    shift = _Shift(before, after)
    containers = shift.list_containers()
    calls = [_replace(row, process=shift.process(row.process)) for row in after.calls]
    denials = [_replace(row, process=shift.process(row.process)) for row in after.denials]
    return _replace(
        before,
        complete=after.complete,
        seclatch=after.seclatch,
        duration=round(shift.seconds + after.duration, 6),
        hosts=sorted({*before.hosts, *after.hosts}),
        runtimes=sorted({*before.runtimes, *after.runtimes}),
        containers=containers,
        sessions=[*before.sessions, *shift.list_sessions()],
        processes=[*before.processes, *map(shift.move_process, after.processes)],
        events=[*before.events, *map(shift.move_event, after.events)],
        calls=[*before.calls, *calls],
        denials=[*before.denials, *denials],
        arguments=_add_arguments(before, after),
        denied_arguments=[
            *before.denied_arguments,
            *(_replace(row, process=shift.process(row.process)) for row in after.denied_arguments),
        ],
        lost=_add_lost(before.lost, after.lost),
        contexts=[*before.contexts, *after.contexts],
        images=sorted({*before.images, *after.images}),
        software=sorted({*before.software, *after.software}),
        ready=before.ready
        or (after.ready and _replace(after.ready, time=shift.time(after.ready.time))),
        container_names=list_container_names(containers),
        roles=merge_roles([*before.roles, *after.roles]),
        gaps=[
            *before.gaps,
            RecordingGap(began=before.duration, ended=max(before.duration, shift.time(0.0))),
        ],
    )


class _Shift:
    """Numbers and times of the later part, as they are in the whole."""

    def __init__(self, before: Recording, after: Recording) -> None:
        self._before = before
        self._after = after
        began = datetime.fromisoformat(before.started)
        self.seconds = max(0.0, (datetime.fromisoformat(after.started) - began).total_seconds())
        self._processes = 1 + max((each.id for each in before.processes), default=-1)
        # The later part's first container is the one that was found running.
        self._containers = {each.id: each.id for each in after.containers}
        if before.containers:
            first = before.containers[0].id
            following = 1 + max(each.id for each in before.containers)
            for place, each in enumerate(after.containers):
                self._containers[each.id] = following + place - 1 if place else first
        self._sessions = {each.id: each.id for each in after.sessions}
        if before.sessions:
            start = before.sessions[0].id
            following = 1 + max(each.id for each in before.sessions)
            for place, session in enumerate(after.sessions):
                self._sessions[session.id] = following + place - 1 if place else start

    def process(self, number: int | None) -> int | None:
        return None if number is None else number + self._processes

    def time(self, seconds: float) -> float:
        return round(seconds + self.seconds, 6)

    def list_containers(self) -> list[RecordedContainer]:
        before, after = self._before.containers, self._after.containers
        if not before:
            return list(after)
        image = before[0].image or (after[0].image if after else None)
        added = [_replace(each, id=self._containers[each.id]) for each in after[1:]]
        return [_replace(before[0], image=image), *before[1:], *added]

    def list_sessions(self) -> list[RecordedSession]:
        added = self._after.sessions[1:] if self._before.sessions else self._after.sessions
        return [
            _replace(
                each,
                id=self._sessions[each.id],
                container=self._containers[each.container],
                process=each.process + self._processes,
            )
            for each in added
        ]

    def move_process(self, each: RecordedProcess) -> RecordedProcess:
        return _replace(
            each,
            id=each.id + self._processes,
            parent=self.process(each.parent),
            session=None if each.session is None else self._sessions[each.session],
            began=self.time(each.began),
            ended=None if each.ended is None else self.time(each.ended),
            images=[_replace(image, time=self.time(image.time)) for image in each.images],
            contexts=[
                _replace(
                    change,
                    time=self.time(change.time),
                    context=change.context + len(self._before.contexts),
                )
                for change in each.contexts
            ],
        )

    def move_event(self, each: RecordedEvent) -> RecordedEvent:
        return _replace(each, time=self.time(each.time), process=each.process + self._processes)


def _add_arguments(before: Recording, after: Recording) -> list[RecordedArgument]:
    counts: Counter[_Value] = Counter()
    running: Counter[_Value] = Counter()
    for part in (before, after):
        for row in part.arguments:
            value = (row.stage, row.arch, row.name, row.index, row.value)
            counts[value] += row.count
            running[value] += row.running
    return [
        RecordedArgument(
            stage=stage,
            arch=arch,
            name=name,
            index=index,
            value=number,
            count=count,
            running=running[stage, arch, name, index, number],
        )
        for (stage, arch, name, index, number), count in counts.items()
    ]


def _add_lost(before: LostCounts, after: LostCounts) -> LostCounts:
    names = LostCounts.__struct_fields__
    return LostCounts(**{name: getattr(before, name) + getattr(after, name) for name in names})
