"""What is known of a run: the trace with its stages, single calls, messages, and the profiles."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePosixPath

from seclatch.diagnose.evidence.container_bundles import BundleContainer, BundleReader
from seclatch.model.arch import Arch
from seclatch.model.stage import Stage
from seclatch.model.syscall import Syscall, load_syscalls
from seclatch.recording.backends.bpf.detail_events import Last, Mark, Seen, Sights, What
from seclatch.recording.trace.assign_stages import EnteredSession, StageAssignment, list_ancestry
from seclatch.recording.trace.event_kinds import EventKind
from seclatch.recording.trace.syscall_names import name_call
from seclatch.recording.trace.trace import Segment, Trace, TracedProcess

_NO_NUMBER = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class StderrLine:
    """A line that somebody wrote to standard error."""

    time: int
    segment: int
    stage: Stage
    program: str
    text: str


@dataclass
class RunEvidence:
    """One run. `trace` holds nothing foreign; `status` is the command's exit status; `engines`: the
    daemons that were followed, by the names of their programs."""

    command: tuple[str, ...]
    status: int
    trace: Trace
    staging: StageAssignment
    sights: Sights
    bundles: BundleReader = field(default_factory=BundleReader)
    engines: frozenset[str] = frozenset()

    @cached_property
    def native(self) -> Arch:
        """This machine's ABI."""
        return Arch.native()

    def stage(self, segment: int) -> Stage:
        """Whose code runs in a segment."""
        return self.staging.stages[segment]

    def name(self, seen: Seen | Last) -> Syscall:
        """The call by its name."""
        return name_seen(self.native, seen)

    def process_of(self, segment: int) -> TracedProcess:
        """The process that a segment belongs to."""
        return self.trace.processes[self.trace.segments[segment].process]

    @cached_property
    def calls(self) -> list[Seen]:
        """Single calls of the command's own processes, in order of time."""
        kept = (call for call in self.sights.calls if call.segment in self.trace.segments)
        return sorted(kept, key=lambda call: call.time)

    @cached_property
    def refusals(self) -> list[Seen]:
        """Calls that seccomp answered."""
        return [call for call in self.calls if call.what is What.REFUSED]

    @cached_property
    def missed(self) -> int:
        """How many kinds of denials were counted of which no single call was seen."""
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
        """Calls that the kernel itself failed."""
        return [call for call in self.calls if call.what is What.FAILED]

    @cached_property
    def messages(self) -> list[StderrLine]:
        """What was said on standard error, whole lines in order, by everybody but daemons: those
        log what they do for others too."""
        pieces = sorted(
            (time, segment, text)
            for segment, lines in self.sights.said.items()
            if segment in self.trace.segments and not self.process_of(segment).found_running
            for time, text in lines
        )
        return list(_join(pieces, self))

    def image(self, segment: int) -> Segment:
        """The segment in which the program was exec'd that runs in this one."""
        at = self.trace.segments[segment]
        while at.kind not in (EventKind.EXEC, EventKind.ROOT, EventKind.FOUND):
            before = self.trace.segments.get(at.parent)
            if before is None:
                break
            at = before
        return at

    def program(self, segment: int) -> str:
        """What runs there, in one word: the name it was called by, or the file's."""
        stage = self.stage(segment)
        session = self.session_of(segment)
        if stage in (Stage.INIT, Stage.FILTERED_INIT) and session:
            return f"{self.runtime(session)} init"
        image = self.image(segment)
        word = image.argv[0] if image.argv else image.file
        return PurePosixPath(word or image.facts.comm).name or image.facts.comm

    def session_of(self, segment: int) -> EnteredSession | None:
        """The entering of a container that a segment belongs to."""
        number = self.staging.session_of.get(segment)
        return None if number is None else self.staging.sessions[number]

    def runtime(self, session: EnteredSession) -> str:
        """The base name of a session's runtime."""
        return PurePosixPath(self.trace.segments[session.runtime].file).name

    def container(self, session: EnteredSession | None) -> BundleContainer | None:
        """What the runtime of a session was told; an exec session has its container's profile."""
        if session is None:
            return None
        for ancestor in list_ancestry(self.trace, self.trace.segments[session.runtime]):
            if found := self.bundles.found.get(ancestor.id):
                return found
        for other in self.staging.sessions:
            if other.container == session.container and other is not session:
                found = self.bundles.found.get(other.runtime)
                if found:
                    return found
        return None

    def started(self, session: EnteredSession) -> bool:
        """Whether the session's program was exec'd."""
        process = self.trace.segments[session.entry].process
        return any(
            self.stage(number) is Stage.PROGRAM for number in self.trace.processes[process].segments
        )

    def life(self, process: TracedProcess) -> list[Last]:
        """The last calls of a process' last program, oldest first."""
        flights = (self.sights.flight(segment) for segment in self.own(process))
        return sorted((call for some in flights for call in some), key=lambda call: call.time)

    def own(self, process: TracedProcess) -> set[int]:
        """The segments of a process' last program: what it was before its exec is not its own."""
        segments = process.segments
        execs = [
            n
            for n, segment in enumerate(segments)
            if self.trace.segments[segment].kind == EventKind.EXEC
        ]
        return set(segments[execs[-1] :] if execs else segments)

    def bound_life(self, process: TracedProcess) -> list[Last]:
        """What a process did between loading its filter and the exec that never was: all of it, a
        runtime that crashes writes more than a flight holds."""
        bound = {number for number in process.segments if self.stage(number) is Stage.FILTERED_INIT}
        found = {
            call.time: Last(call.time, call.number, _marks(call), call.result)
            for call in self.calls
            if call.segment in bound
        }
        for segment in bound:
            found |= {call.time: call for call in self.sights.flight(segment)}
        return [found[time] for time in sorted(found)]

    def roots(self) -> Iterator[TracedProcess]:
        """Each session's first process, and the command's own where there is no container."""
        if not self.staging.sessions and set(self.staging.stages.values()) <= {Stage.PROGRAM}:
            yield from list(self.trace.processes.values())[:1]
        for session in self.staging.sessions:
            yield self.process_of(session.entry)


def _marks(seen: Seen) -> Mark:
    return seen.mode | (Mark.REFUSED if seen.what is What.REFUSED else Mark(0))


def name_seen(native: Arch, seen: Seen | Last) -> Syscall:
    """The call by its name; what rt_sigreturn(2) comes back with is its own number no more."""
    if seen.number == _NO_NUMBER:
        return name_call(native, False, load_syscalls(native).numbers["rt_sigreturn"])
    return name_call(native, bool(seen.mode & Mark.COMPAT), seen.number)


def has_failed(process: TracedProcess) -> bool:
    """Whether a process ended, and not well."""
    return bool(process.status)


def read_end_signal(process: TracedProcess) -> signal.Signals | None:
    """The signal that ended a process (`status` is as wait(2) has it)."""
    number = (process.status or 0) & 0x7F
    if not number:
        return None
    try:
        return signal.Signals(number)
    except ValueError:
        return None


def read_exit_code(process: TracedProcess) -> int:
    """A process' exit status as a shell has it."""
    status = process.status or 0
    return 128 + (status & 0x7F) if status & 0x7F else status >> 8


def _join(pieces: list[tuple[int, int, str]], evidence: RunEvidence) -> Iterator[StderrLine]:
    """Programs write a line in several pieces: one message a line and segment."""
    open_lines: dict[int, tuple[int, str]] = {}
    for time, segment, text in pieces:
        began, line = open_lines.pop(segment, (time, ""))
        *whole, rest = (line + text).split("\n")
        for mark in whole:
            if mark.strip():
                yield _message(began, segment, mark, evidence)
        if rest:
            open_lines[segment] = (began, rest)
    for segment, (time, line) in open_lines.items():
        if line.strip():
            yield _message(time, segment, line, evidence)


def _message(time: int, segment: int, text: str, evidence: RunEvidence) -> StderrLine:
    stage, program = evidence.stage(segment), evidence.program(segment)
    return StderrLine(time, segment, stage, program, text.strip())
