"""From a trace to a recording: numbers get names, segments become processes and stages."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any, TypeVar

from seclatch import __version__
from seclatch.model import recording as model
from seclatch.model.arch import Arch
from seclatch.model.stage import Stage
from seclatch.model.syscall import Syscall, table
from seclatch.record.layout import Kind
from seclatch.record.staging import Staging, assign
from seclatch.record.trace import Process, Segment, Trace

_KINDS = {Kind.FORK: "fork", Kind.EXEC: "exec", Kind.FILTER: "filter"}
_Key = TypeVar("_Key", bound=tuple[Any, ...])
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


def summarise(trace: Trace, run: Run) -> model.Recording:
    """Make the recording of a trace."""
    return _Summary(trace, assign(trace), run).recording()


class _Summary:
    def __init__(self, trace: Trace, staging: Staging, run: Run) -> None:
        self._trace = trace
        self._staging = staging
        self._run = run
        self._native = Arch.native()
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
        return model.Recording(
            seclatch=__version__,
            complete=run.complete,
            commands=[list(run.command)],
            started=run.started.astimezone(UTC).isoformat(timespec="milliseconds"),
            duration=self._seconds(run.ended),
            hosts=[model.Host(kernel=os.uname().release, arch=self._native.title)],
            runtimes=sorted({PurePosixPath(each.runtime).name for each in containers}),
            containers=containers,
            sessions=list(self._sessions()),
            processes=[self._process(self._trace.processes[each]) for each in self._ids],
            events=sorted(self._events(), key=lambda event: event.time),
            calls=list(self._calls()),
            denials=list(self._denials()),
            arguments=list(self._arguments()),
            lost=self._lost(),
        )

    def _seconds(self, time: int) -> float:
        return round((time - self._run.began) / 1e9, 6)

    def _stage(self, segment: Segment) -> Stage:
        return self._staging.stages[segment.id]

    def _syscall(self, compat: bool, number: int) -> Syscall:
        return name_call(self._native, compat, number)

    def _containers(self) -> Iterator[model.Container]:
        seen: set[int] = set()
        for session in self._staging.sessions:
            if session.container in seen:
                continue
            seen.add(session.container)
            facts = self._trace.segments[session.entry].facts
            runtime = self._trace.segments[session.runtime]
            starts = not runtime.argv_cut and {"create", "run"} & set(runtime.argv)
            yield model.Container(
                id=session.container,
                name=runtime.argv[-1] if starts else "",
                runtime=runtime.file,
                mount_namespace=facts.mounts,
                pid_namespace=facts.pids,
                user_namespace=facts.users,
            )

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
        for process in self._trace.processes.values():
            if process.ended is not None and process.id in self._ids:
                last = self._trace.segments[process.segments[-1]]
                yield self._event(last, process.ended, "exit", process.pid)

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
        total: Counter[tuple[int, Stage, bool, int]] = Counter()
        for segment in self._segments:
            for (compat, number), count in segment.calls.items():
                total[segment.process, self._stage(segment), compat, number] += count
        for (process, stage, compat, number), count in _ordered(total):
            call = self._syscall(compat, number)
            yield model.Calls(
                process=self._ids[process],
                stage=stage.value,
                arch=call.arch.title,
                number=call.number,
                name=call.name,
                count=count,
            )

    def _denials(self) -> Iterator[model.Denial]:
        total: Counter[tuple[int, Stage, bool, int, int]] = Counter()
        for segment in self._segments:
            for (compat, number, errno), count in segment.denied.items():
                total[segment.process, self._stage(segment), compat, number, errno] += count
        for (process, stage, compat, number, errno), count in _ordered(total):
            call = self._syscall(compat, number)
            yield model.Denial(
                process=self._ids[process],
                stage=stage.value,
                arch=call.arch.title,
                number=call.number,
                name=call.name,
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


def _ordered(total: Counter[_Key]) -> list[tuple[_Key, int]]:
    """By process, stage in order of a start, ABI, number."""
    order = list(Stage)
    return sorted(
        total.items(), key=lambda item: (item[0][0], order.index(item[0][1]), item[0][2:])
    )
