"""The evidence of a run: the trace with its stages, detail events, messages, and profiles."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePosixPath

from seclatch.diagnose.evidence.container_bundles import BundleContainer, BundleReader
from seclatch.diagnose.evidence.script_texts import ScriptReader, read_script_argument
from seclatch.model.arch import Arch
from seclatch.model.stage import Stage
from seclatch.model.syscall import Syscall, load_syscalls
from seclatch.recording.backends.bpf.detail_events import DetailFlag, Last, Seen, Sights, What
from seclatch.recording.trace.assign_stages import EnteredSession, StageAssignment, list_ancestry
from seclatch.recording.trace.event_kinds import EventKind
from seclatch.recording.trace.syscall_names import name_call
from seclatch.recording.trace.trace import Segment, Trace, TracedProcess

_NO_NUMBER = 0xFFFFFFFF
# Segments of which the program is known.
_IMAGES = (EventKind.EXEC, EventKind.ROOT, EventKind.FOUND, EventKind.MEMBER)


@dataclass(frozen=True, slots=True)
class StderrLine:
    """A line that a process wrote to standard error."""

    time: int
    segment: int
    stage: Stage
    program: str
    text: str


@dataclass(frozen=True, slots=True)
class RunningContainer:
    """A container that was found running: its runtime ("" if unknown) and its configuration."""

    runtime: str
    container: BundleContainer


@dataclass
class RunEvidence:
    """One run.

    `trace` has only related processes; `status` is the command's exit status; `engines`: the
    program names of followed daemons; `running`: the container that all is about, if it was found
    running.
    """

    command: tuple[str, ...]
    status: int
    trace: Trace
    staging: StageAssignment
    sights: Sights
    bundles: BundleReader = field(default_factory=BundleReader)
    engines: frozenset[str] = frozenset()
    scripts: ScriptReader = field(default_factory=ScriptReader)
    running: RunningContainer | None = None

    @cached_property
    def native(self) -> Arch:
        """Return the ABI of this machine."""
        return Arch.native()

    def stage(self, segment: int) -> Stage:
        """Return the stage of a segment."""
        return self.staging.stages[segment]

    def find_syscall(self, seen: Seen | Last) -> Syscall:
        """Return the system call of a detail event."""
        return name_seen(self.native, seen)

    def process_of(self, segment: int) -> TracedProcess:
        """Return the process that a segment belongs to."""
        return self.trace.processes[self.trace.segments[segment].process]

    @cached_property
    def calls(self) -> list[Seen]:
        """Return detail events of the command's own processes, in order of time."""
        kept = [call for call in self.sights.calls if call.segment in self.trace.segments]
        seen = {(call.segment, call.time) for call in kept}
        kept += [
            call
            for call in self.sights.last_failures
            if call.segment in self.trace.segments and (call.segment, call.time) not in seen
        ]
        return sorted(kept, key=lambda call: call.time)

    @cached_property
    def refusals(self) -> list[Seen]:
        """Return the calls that seccomp denied."""
        return [call for call in self.calls if call.what is What.REFUSED]

    @cached_property
    def missed(self) -> int:
        """Return how many kinds of denials were counted without a detail event."""
        seen = {(call.segment, call.number) for call in self.refusals}
        return len(
            {
                (segment.id, number)
                for segment in self.trace.segments.values()
                for _, number, _ in segment.denied
                if (segment.id, number) not in seen
            }
        )

    @cached_property
    def failures(self) -> list[Seen]:
        """Return the calls that the kernel itself failed."""
        return [call for call in self.calls if call.what is What.FAILED]

    @cached_property
    def messages(self) -> list[StderrLine]:
        """Return whole lines written to standard error, in order, without those of daemons.

        Daemons also log what they do for other clients.
        """
        pieces = sorted(
            (time, segment, text)
            for segment, lines in self.sights.said.items()
            if segment in self.trace.segments and not self._is_of_daemon(segment)
            for time, text in lines
        )
        return list(_join_lines(pieces, self))

    @cached_property
    def output_lines(self) -> list[StderrLine]:
        """Return the lines of standard error, and the last ones of standard output, in order."""
        pieces = sorted(
            (time, segment, text)
            for segment, writes in self.sights.printed.items()
            if segment in self.trace.segments and not self._is_of_daemon(segment)
            for time, text in writes
        )
        printed = _join_lines(pieces, self)
        return sorted([*self.messages, *printed], key=lambda line: line.time)

    def _is_of_daemon(self, segment: int) -> bool:
        """Return whether a segment is of an engine that ran already, and not of a container."""
        process = self.process_of(segment)
        kind = self.trace.segments[process.segments[0]].kind
        return process.found_running and kind != EventKind.MEMBER

    def find_script(
        self, process: TracedProcess, child: TracedProcess | None = None
    ) -> tuple[tuple[str, ...], str]:
        """Return the arguments of a process that is a shell, and its script's text; "" if none.

        `child`: of the shell that started it, which may have exec'd something else since.
        """
        image = self.image(process.segments[-1])
        if child is not None:
            born = self.trace.segments[child.segments[0]].parent
            image = self.image(born) if born in process.segments else image
        return image.argv, read_script_argument(image) or self.scripts.found.get(image.id, "")

    def image(self, segment: int) -> Segment:
        """Return the segment in which the running program was exec'd."""
        at = self.trace.segments[segment]
        while at.kind not in _IMAGES:
            before = self.trace.segments.get(at.parent)
            if before is None:
                break
            at = before
        return at

    def program(self, segment: int) -> str:
        """Return the program's name: the base name of argv[0], or of the file."""
        stage = self.stage(segment)
        session = self.session_of(segment)
        if stage in (Stage.INIT, Stage.FILTERED_INIT) and session:
            return f"{self.runtime(session)} init"
        image = self.image(segment)
        word = image.argv[0] if image.argv else image.file
        return PurePosixPath(word or image.facts.comm).name or image.facts.comm

    def list_ancestors(self, process: TracedProcess) -> Iterator[TracedProcess]:
        """Yield a process, its parent, and so on."""
        at: TracedProcess | None = process
        while at is not None:
            yield at
            at = None if at.parent is None else self.trace.processes.get(at.parent)

    def session_of(self, segment: int) -> EnteredSession | None:
        """Return the session that a segment belongs to."""
        number = self.staging.session_of.get(segment)
        return None if number is None else self.staging.sessions[number]

    def runtime(self, session: EnteredSession) -> str:
        """Return the base name of a session's runtime; "" if that is not known."""
        if not session.runtime:
            return self.running.runtime if self.running else ""
        return PurePosixPath(self.trace.segments[session.runtime].file).name

    def container(self, session: EnteredSession | None) -> BundleContainer | None:
        """Return the configuration of a session's container, also for an exec session."""
        if session is None:
            return None
        if self.running:
            return self.running.container
        for ancestor in list_ancestry(self.trace, self.trace.segments[session.runtime]):
            if found := self.bundles.found.get(ancestor.id):
                return found
        for other in self.staging.sessions:
            if other.container == session.container and other is not session:
                found = self.bundles.found.get(other.runtime)
                if found:
                    return found
        return None

    def has_started(self, session: EnteredSession) -> bool:
        """Return whether the session's program was exec'd."""
        process = self.trace.segments[session.entry].process
        return any(
            self.stage(number) is Stage.PROGRAM for number in self.trace.processes[process].segments
        )

    def list_last_calls(self, process: TracedProcess) -> list[Last]:
        """Return the last calls of a process's last program, oldest first."""
        flights = (self.sights.flight(segment) for segment in self.list_own_segments(process))
        return sorted((call for some in flights for call in some), key=lambda call: call.time)

    def list_own_segments(self, process: TracedProcess) -> set[int]:
        """Return the segments of a process's last program, without those before its exec."""
        segments = process.segments
        execs = [
            n
            for n, segment in enumerate(segments)
            if self.trace.segments[segment].kind == EventKind.EXEC
        ]
        return set(segments[execs[-1] :] if execs else segments)

    def list_filtered_calls(self, process: TracedProcess) -> list[Last]:
        """Return all calls of a process between its filter load and an exec that did not happen.

        Not only the last ones that are kept for each process: a runtime that crashes writes more.
        """
        bound = {number for number in process.segments if self.stage(number) is Stage.FILTERED_INIT}
        found = {
            call.time: Last(call.time, call.number, _get_marks(call), call.result)
            for call in self.calls
            if call.segment in bound
        }
        for segment in bound:
            found |= {call.time: call for call in self.sights.flight(segment)}
        return [found[time] for time in sorted(found)]

    def list_roots(self) -> Iterator[TracedProcess]:
        """Yield each session's first process; the command's own if there is no container."""
        if not self.staging.sessions and set(self.staging.stages.values()) <= {Stage.PROGRAM}:
            yield from list(self.trace.processes.values())[:1]
        for session in self.staging.sessions:
            yield self.process_of(session.entry)


def _get_marks(seen: Seen) -> DetailFlag:
    return seen.mode | (DetailFlag.REFUSED if seen.what is What.REFUSED else DetailFlag(0))


def name_seen(native: Arch, seen: Seen | Last) -> Syscall:
    """Return the call of a detail event; at the exit of rt_sigreturn(2) the number is -1."""
    if seen.number == _NO_NUMBER:
        return name_call(native, False, load_syscalls(native).numbers["rt_sigreturn"])
    return name_call(native, bool(seen.mode & DetailFlag.COMPAT), seen.number)


def has_failed(process: TracedProcess) -> bool:
    """Return whether a process ended with a status other than 0."""
    return bool(process.status)


def read_end_signal(process: TracedProcess) -> signal.Signals | None:
    """Return the signal that ended a process (`status` is as wait(2) has it)."""
    number = (process.status or 0) & 0x7F
    if not number:
        return None
    try:
        return signal.Signals(number)
    except ValueError:
        return None


def read_exit_code(process: TracedProcess) -> int:
    """Return the exit status of a process as a shell has it."""
    status = process.status or 0
    return 128 + (status & 0x7F) if status & 0x7F else status >> 8


def _join_lines(pieces: list[tuple[int, int, str]], evidence: RunEvidence) -> Iterator[StderrLine]:
    """Yield messages, one for each line: programs write a line in several pieces."""
    open_lines: dict[int, tuple[int, str]] = {}
    for time, segment, text in pieces:
        began, line = open_lines.pop(segment, (time, ""))
        *whole, rest = (line + text).split("\n")
        for mark in whole:
            if mark.strip():
                yield _make_line(began, segment, mark, evidence)
        if rest:
            open_lines[segment] = (began, rest)
    for segment, (time, line) in open_lines.items():
        if line.strip():
            yield _make_line(time, segment, line, evidence)


def _make_line(time: int, segment: int, text: str, evidence: RunEvidence) -> StderrLine:
    stage, program = evidence.stage(segment), evidence.program(segment)
    return StderrLine(time, segment, stage, program, text.strip())
