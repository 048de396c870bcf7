"""From a trace to a recording: numbers get names, segments become processes and stages."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

import msgspec

from seclatch import __version__
from seclatch.model import recording as model
from seclatch.model.arch import Arch
from seclatch.model.origin import ContainerImage, Software
from seclatch.model.stage import Stage
from seclatch.model.syscall import Syscall, table
from seclatch.record.contexts import Contexts
from seclatch.record.layout import Kind
from seclatch.record.staging import Session, Staging, assign
from seclatch.record.trace import Process, Segment, Trace
from seclatch.record.versions import ask_versions

_KINDS = {
    Kind.FORK: "fork",
    Kind.EXEC: "exec",
    Kind.FILTER: "filter",
    Kind.MEMBER: "found",
    Kind.JOINED: "joined",
}
_STAGES = [stage.value for stage in Stage]
_RANKS = {stage: rank for rank, stage in enumerate(Stage)}  # in order of a start
# The ABI of 32-bit programs: int 0x80 on x86-64, AArch32 on arm64.
_COMPAT = {Arch.X86_64: Arch.X86, Arch.AARCH64: Arch.ARM}


@dataclass(frozen=True, slots=True)
class Run:
    """What was recorded: the command, and when (wall clock and ns of CLOCK_MONOTONIC)."""

    command: tuple[str, ...]
    started: datetime
    began: int
    ended: int
    complete: bool
    images: Mapping[int, ContainerImage] = field(default_factory=dict)
    """By the segment of the runtime that was asked to start or enter the container."""
    container: str = ""
    """The id of a container that was found running."""
    image: ContainerImage | None = None
    """Of the container that the recording is of, where there is but one."""
    profiles: Mapping[int, dict[str, Any]] = field(default_factory=dict)
    """By the runtime's process."""


def summarise(trace: Trace, run: Run) -> model.Recording:
    """Make the recording of a trace."""
    return _Summary(trace, assign(trace), run).recording()


class _Summary:
    def __init__(self, trace: Trace, staging: Staging, run: Run) -> None:
        self._trace = trace
        self._staging = staging
        self._run = run
        self._native = Arch.native()
        self._named: dict[tuple[bool, int], tuple[str, int, str]] = {}
        self._contexts = Contexts(trace, self._seconds)
        self._segments = [each for each in trace.segments.values() if each.kind != Kind.ROOT]
        shown = {each.process for each in self._segments}
        self._ids = {
            process.id: number
            for number, process in enumerate(p for p in trace.processes.values() if p.id in shown)
        }

    def recording(self) -> model.Recording:
        """Put everything together."""
        run = self._run
        containers = list(self._containers())
        processes = [self._process(self._trace.processes[each]) for each in self._ids]
        return model.Recording(
            seclatch=__version__,
            complete=run.complete,
            commands=[list(run.command)] if run.command else [],
            started=run.started.astimezone(UTC).isoformat(timespec="milliseconds"),
            duration=self._seconds(run.ended),
            hosts=[model.Host(kernel=os.uname().release, arch=self._native.title)],
            runtimes=sorted({PurePosixPath(each.runtime).name for each in containers} - {""}),
            containers=containers,
            sessions=list(self._sessions()),
            processes=processes,
            events=sorted(self._events(), key=lambda event: event.time),
            calls=list(self._calls()),
            denials=list(self._denials()),
            arguments=list(self._arguments()),
            lost=self._lost(),
            contexts=self._contexts.table,
            images=sorted({each.image for each in containers if each.image}),
            software=self._software() if run.complete else [],
        )

    def _software(self) -> list[Software]:
        """Asked at the end only: it may take programs that have to be run."""
        return ask_versions((self._stage(each), each.file) for each in self._segments if each.file)

    def _seconds(self, time: int) -> float:
        return round((time - self._run.began) / 1e9, 6)

    def _stage(self, segment: Segment) -> Stage:
        return self._staging.stages[segment.id]

    def _rank(self, segment: Segment) -> int:
        """Its stage as a number: keys of enumerations take most of the time of counting."""
        return _RANKS[self._staging.stages[segment.id]]

    def _syscall(self, compat: bool, number: int) -> Syscall:
        return name_call(self._native, compat, number)

    def _words(self, compat: bool, number: int) -> tuple[str, int, str]:
        """A call as the recording has it: ABI, number, name."""
        found = self._named.get((compat, number))
        if found is None:
            call = self._syscall(compat, number)
            found = self._named[compat, number] = (call.arch.title, call.number, call.name)
        return found

    def _containers(self) -> Iterator[model.Container]:
        seen: set[int] = set()
        for session in self._staging.sessions:
            if session.container in seen:
                continue
            seen.add(session.container)
            facts = self._trace.segments[session.entry].facts
            name, runtime = self._name(session)
            runtime = runtime or self._runtime_of(session.container)
            yield model.Container(
                id=session.container,
                name=name,
                runtime=runtime,
                mount_namespace=facts.mounts,
                pid_namespace=facts.pids,
                user_namespace=facts.users,
                image=self._image_of(session.container),
                profile=self._profile_of(session.runtime),
            )

    def _profile_of(self, runtime: int) -> dict[str, Any] | None:
        """Of the bundle that the runtime was given; one that was not seen (0) has none."""
        segment = self._trace.segments.get(runtime)
        return self._run.profiles.get(segment.process) if segment else None

    def _image_of(self, container: int) -> ContainerImage | None:
        """What an engine said at any of the container's sessions."""
        for session in self._staging.sessions:
            image = self._run.images.get(session.runtime)
            if session.container == container and image:
                return image
        return self._run.image

    def _runtime_of(self, container: int) -> str:
        """The program that brought a later session into a container that was found running."""
        for session in self._staging.sessions:
            if session.container == container and session.runtime:
                return self._trace.segments[session.runtime].file
        return ""

    def _name(self, session: Session) -> tuple[str, str]:
        """The container's id and its runtime's program, as far as they are known."""
        if not session.runtime:
            return self._run.container, ""
        runtime = self._trace.segments[session.runtime]
        starts = not runtime.argv_cut and {"create", "run"} & set(runtime.argv)
        return runtime.argv[-1] if starts else "", runtime.file

    def _sessions(self) -> Iterator[model.Session]:
        for number, session in enumerate(self._staging.sessions):
            process = self._trace.segments[session.entry].process
            yield model.Session(
                id=number,
                container=session.container,
                joined=session.joined,
                process=self._ids[process],
            )

    def _process(self, process: Process) -> model.Process:
        segments = [self._trace.segments[each] for each in process.segments]
        sessions = [self._staging.session_of.get(each.id) for each in segments]
        return model.Process(
            id=self._ids[process.id],
            pid=process.pid,
            parent=None if process.parent is None else self._ids.get(process.parent),
            session=next((each for each in sessions if each is not None), None),
            began=self._seconds(process.began),
            ended=None if process.ended is None else self._seconds(process.ended),
            status=process.status,
            found_running=process.found_running,
            images=[self._image(each) for each in segments if each.file],
            contexts=self._contexts.of(process),
        )

    def _image(self, segment: Segment) -> model.Image:
        return model.Image(
            time=self._seconds(segment.time),
            stage=self._stage(segment).value,
            exe=segment.file,
            argv=list(segment.argv),
            argv_cut=segment.argv_cut,
            uid=segment.facts.uid,
            gid=segment.facts.gid,
        )

    def _events(self) -> Iterator[model.Event]:
        for segment in self._segments:
            if segment.kind in _KINDS:
                yield self._event(segment, segment.time, _KINDS[segment.kind], segment.tid)
        for change in self._trace.suspensions:
            found = self._trace.segments.get(change.segment)
            kind = "lifted" if change.lifted else "released"
            if found and found.kind != Kind.ROOT:
                yield self._event(found, change.time, kind, change.tid)
        yield from self._denial_events()
        for process in self._trace.processes.values():
            if process.ended is not None and process.id in self._ids:
                last = self._trace.segments[process.segments[-1]]
                yield self._event(last, process.ended, "exit", process.pid)

    def _denial_events(self) -> Iterator[model.Event]:
        for denial in self._trace.denials:
            found = self._trace.segments.get(denial.segment)
            if found and found.kind != Kind.ROOT:
                event = self._event(found, denial.time, "denial", denial.tid)
                call = self._syscall(*denial.call)
                yield msgspec.structs.replace(event, call=str(call), errno=denial.errno)

    def _event(self, segment: Segment, time: int, kind: str, thread: int) -> model.Event:
        return model.Event(
            time=self._seconds(time),
            kind=kind,
            process=self._ids[segment.process],
            thread=thread,
            stage=self._stage(segment).value,
            filters=segment.facts.filters,
        )

    def _calls(self) -> Iterator[model.Calls]:
        total: dict[tuple[int, int, bool, int], int] = {}
        for segment in self._segments:
            process, stage = segment.process, self._rank(segment)
            for (compat, number), count in segment.calls.items():
                key = (process, stage, compat, number)
                total[key] = total.get(key, 0) + count
        for (process, stage, compat, number), count in sorted(total.items()):
            arch, call, name = self._words(compat, number)
            yield model.Calls(
                process=self._ids[process],
                stage=_STAGES[stage],
                arch=arch,
                number=call,
                name=name,
                count=count,
            )

    def _denials(self) -> Iterator[model.Denial]:
        total: Counter[tuple[int, int, bool, int, int]] = Counter()
        for segment in self._segments:
            for (compat, number, errno), count in segment.denied.items():
                total[segment.process, self._rank(segment), compat, number, errno] += count
        for (process, stage, compat, number, errno), count in sorted(total.items()):
            arch, call, name = self._words(compat, number)
            yield model.Denial(
                process=self._ids[process],
                stage=_STAGES[stage],
                arch=arch,
                number=call,
                name=name,
                errno=errno,
                count=count,
            )

    def _arguments(self) -> Iterator[model.Argument]:
        total: Counter[tuple[Stage, int, int, int]] = Counter()
        for segment in self._segments:
            for (number, index, value), count in segment.arguments.items():
                total[self._stage(segment), number, index, value] += count
        for (stage, number, index, value), count in sorted(
            total.items(), key=lambda item: (item[0][0].value, *item[0][1:])
        ):
            call = self._syscall(False, number)
            yield model.Argument(
                stage=stage.value,
                arch=call.arch.title,
                name=call.name,
                index=index,
                value=value,
                count=count,
            )

    def _lost(self) -> model.Lost:
        lost = self._trace.lost
        return model.Lost(
            events=lost.events,
            processes=lost.processes,
            calls=lost.calls + self._trace.stray.total() + self._trace.stray_rare.total(),
            arguments=lost.arguments,
        )


def name_call(native: Arch, compat: bool, number: int) -> Syscall:
    """Name a call as the kernel counted it; x32 ones by their bit."""
    arch = _COMPAT[native] if compat else native
    if arch is Arch.X86_64 and number & Arch.X32.offset and not number >> 31:
        arch = Arch.X32
    return table(arch).at(number)
