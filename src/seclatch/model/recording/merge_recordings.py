"""Merge recordings: the union of their calls, and in how many recordings each occurs.

Merging is associative and commutative, and a merged recording may be merged again: the order of
merging does not matter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import chain
from typing import NamedTuple

from seclatch.model.recording.container_bounds import drop_equal, list_bounds
from seclatch.model.recording.executed_programs import ExecutedProgram
from seclatch.model.recording.origin import ContainerImage, Software
from seclatch.model.recording.recorded_bounds import RecordedBound
from seclatch.model.recording.recorded_programs import list_executed
from seclatch.model.recording.recorded_roles import merge_roles
from seclatch.model.recording.recording import (
    DeniedArgument,
    LostCounts,
    ReadyMark,
    RecordedArgument,
    RecordedCalls,
    RecordedDenial,
    RecordedHost,
    RecordedRole,
    Recording,
)
from seclatch.model.recording.recording_sums import RecordingSums
from seclatch.model.stage import Stage

_ORDER = {stage.value: number for number, stage in enumerate(Stage)}


class ContainerGroup(NamedTuple):
    """Recordings that belong together: of the same images, under the same names in their pods.

    Both are "" if unknown. An init container and a sidecar may have one image.
    """

    images: str
    names: str = ""

    def __str__(self) -> str:
        return f"{self.names} ({self.images})" if self.names else self.images


_Call = tuple[str, str, int, str, int]
"""(stage, architecture, number, name, errno of a denial or -1)."""

_Value = tuple[str, str, str, int, int]
"""(stage, architecture, name, index, value)."""


def merge_recordings(recordings: Iterable[Recording | RecordingSums]) -> Recording:
    """Merge one or more recordings. Raises ValueError for none."""
    merger = _Merger()
    for recording in recordings:
        merger.add(recording)
    return merger.result()


def identify_images(recording: Recording | RecordingSums) -> str:
    """Return the images of a recording's containers: digests, else names; "" if unknown.

    Recordings of the same image return the same text, whatever names it was given.
    """
    return " ".join(sorted({image.digest or image.id or image.name for image in recording.images}))


def identify_containers(recording: Recording | RecordingSums) -> ContainerGroup:
    """Return what recordings have in common that belong together: images, names in their pods."""
    return ContainerGroup(identify_images(recording), " ".join(recording.container_names))


class _Merger:
    def __init__(self) -> None:
        self._complete = True
        self._runs = 0
        self._versions: set[str] = set()
        self._started = ""
        self._duration = 0.0
        self._commands: set[tuple[str, ...]] = set()
        self._hosts: set[RecordedHost] = set()
        self._runtimes: set[str] = set()
        self._images: set[ContainerImage] = set()
        self._container_names: set[str] = set()
        self._software: set[Software] = set()
        self._executed: dict[tuple[str, ...], ExecutedProgram] = {}
        self._bounds: list[RecordedBound] = []
        self._counts: dict[_Call, int] = {}
        self._runs_of: dict[_Call, int] = {}
        self._arguments: Counter[_Value] = Counter()
        self._denied_arguments: Counter[_Value] = Counter()
        self._lost: Counter[str] = Counter()
        self._running: Counter[_Call | _Value] = Counter()
        self._marks: list[ReadyMark | None] = []
        self._roles: list[RecordedRole] = []

    def add(self, recording: Recording | RecordingSums) -> None:
        """Add one recording, itself merged or not."""
        self._complete &= recording.complete
        self._runs += recording.runs
        self._versions.add(recording.seclatch)
        self._started = min(self._started or recording.started, recording.started)
        self._duration = max(self._duration, recording.duration)
        self._commands.update(tuple(command) for command in recording.commands)
        self._hosts.update(recording.hosts)
        self._runtimes.update(recording.runtimes)
        self._images.update(recording.images)
        self._container_names.update(recording.container_names)
        self._software.update(recording.software)
        for program in list_executed(recording):
            self._executed[(program.exe, *program.argv)] = program
        self._bounds = drop_equal([*self._bounds, *list_bounds(recording)])
        self._marks.append(recording.ready)
        self._roles += recording.roles
        self._add_counts(recording)
        arguments = self._arguments
        for one in recording.arguments:
            value = (one.stage, one.arch, one.name, one.index, one.value)
            arguments[value] = arguments.get(value, 0) + one.count
            if one.running:
                self._running[value] += one.running
        for denied in recording.denied_arguments:
            value = (denied.stage, denied.arch, denied.name, denied.index, denied.value)
            self._denied_arguments[value] += denied.count
        for name in LostCounts.__struct_fields__:
            self._lost[name] += getattr(recording.lost, name)

    def _add_counts(self, recording: Recording | RecordingSums) -> None:
        """Add counts; several processes of one recording count as one run.

        One loop without calls: a fleet's counts have millions of entries.
        """
        counts, runs = self._counts, dict[_Call, int]()
        named = (
            (c.count, c.runs, c.running, (c.stage, c.arch, c.number, c.name, -1))
            for c in recording.calls
        )
        denied = (
            (d.count, d.runs, d.running, (d.stage, d.arch, d.number, d.name, d.errno))
            for d in recording.denials
        )
        for count, of, running, key in chain(named, denied):
            counts[key] = counts.get(key, 0) + count
            if runs.get(key, 0) < of:
                runs[key] = of
            if running:
                self._running[key] += running
        runs_of = self._runs_of
        for key, of in runs.items():
            runs_of[key] = runs_of.get(key, 0) + of

    def result(self) -> Recording:
        """Return the merged recording."""
        if not self._versions:
            raise ValueError("nothing to merge")
        ordered = self._ordered()
        calls = [key for key in ordered if key[-1] < 0]
        denials = [key for key in ordered if key[-1] >= 0]
        ready = self._merge_marks()
        if ready is None:
            self._running.clear()
        return Recording(
            seclatch=max(self._versions),
            complete=self._complete,
            runs=self._runs,
            commands=sorted(list(command) for command in self._commands),
            started=self._started,
            duration=self._duration,
            hosts=sorted(self._hosts),
            runtimes=sorted(self._runtimes),
            containers=[],
            sessions=[],
            processes=[],
            events=[],
            calls=[self._calls(call) for call in calls],
            denials=[self._denial(denial) for denial in denials],
            arguments=[
                self._argument(value, count) for value, count in sorted(self._arguments.items())
            ],
            lost=LostCounts(**self._lost),
            images=sorted(self._images),
            software=sorted(self._software),
            executed=[self._executed[key] for key in sorted(self._executed)],
            bounds=self._bounds,
            denied_arguments=[
                DeniedArgument(
                    process=None,
                    stage=stage,
                    arch=arch,
                    name=name,
                    index=index,
                    value=value,
                    count=count,
                )
                for (stage, arch, name, index, value), count in sorted(
                    self._denied_arguments.items()
                )
            ],
            container_names=sorted(self._container_names),
            ready=ready,
            roles=merge_roles(self._roles) if ready else [],
        )

    def _merge_marks(self) -> ReadyMark | None:
        """Return the mark of the whole; None if one has none: it is of one phase then."""
        marks = [mark for mark in self._marks if mark is not None]
        if len(marks) < len(self._marks):
            return None
        words = {word for mark in marks for word in mark.condition.split(", ")}
        return ReadyMark(time=max(mark.time for mark in marks), condition=", ".join(sorted(words)))

    def _argument(self, row: _Value, count: int) -> RecordedArgument:
        stage, arch, name, index, value = row
        return RecordedArgument(
            stage=stage,
            arch=arch,
            name=name,
            index=index,
            value=value,
            count=count,
            running=self._running[row],
        )

    def _ordered(self) -> list[_Call]:
        return sorted(self._counts, key=lambda call: (_ORDER.get(call[0], len(_ORDER)), *call[1:]))

    def _calls(self, call: _Call) -> RecordedCalls:
        stage, arch, number, name, _ = call
        return RecordedCalls(
            process=None,
            stage=stage,
            arch=arch,
            number=number,
            name=name,
            count=self._counts[call],
            runs=self._runs_of[call],
            running=self._running[call],
        )

    def _denial(self, call: _Call) -> RecordedDenial:
        stage, arch, number, name, errno = call
        return RecordedDenial(
            process=None,
            stage=stage,
            arch=arch,
            number=number,
            name=name,
            errno=errno,
            count=self._counts[call],
            runs=self._runs_of[call],
            running=self._running[call],
        )
