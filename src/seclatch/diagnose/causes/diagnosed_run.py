"""The run being diagnosed: its evidence, its denials, and where it failed."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from seclatch.diagnose.denials.list_denials import DenialCase, RunDenials
from seclatch.diagnose.evidence.run_evidence import RunEvidence, StderrLine, has_failed
from seclatch.diagnose.failure.failure_chain import find_origin
from seclatch.diagnose.failure.judge_failure import judge_failure
from seclatch.diagnose.failure.judged_failure import FailureVerdict
from seclatch.model.stage import Stage
from seclatch.recording.backends.bpf.detail_events import Seen
from seclatch.recording.trace.assign_stages import EnteredSession
from seclatch.recording.trace.trace import TracedProcess

_INSIDE = (Stage.PROGRAM, Stage.HOOK)
# Lines that shims and daemons log besides errors.
_NO_ERROR = re.compile(r'(time="[^"]*" level=(warning|info|debug))|cleanup warnings')


@dataclass(frozen=True, slots=True)
class FoundCause:
    """A cause: see `Explanation` for the fields; `case` is the denial that it is about.

    `together`: all calls that have to be allowed, where it takes more than that one; `unnamed`:
    which of them it ended over is not known.
    """

    seccomp: bool | None
    cause: str
    summary: str
    stage: str = ""
    evidence: list[str] = field(default_factory=list)
    case: DenialCase | None = None
    together: tuple[str, ...] = ()
    unnamed: bool = False


@dataclass
class DiagnosedRun:
    """The run being diagnosed; `confirmed`: an experiment's verdict, which comes before rules."""

    evidence: RunEvidence
    denials: RunDenials
    confirmed: FailureVerdict | None = None

    @cached_property
    def failures(self) -> list[tuple[EnteredSession | None, TracedProcess]]:
        """Return failed sessions with their first process; starts before exec sessions."""
        evidence = self.evidence
        found: list[tuple[EnteredSession | None, TracedProcess]] = []
        if not evidence.staging.sessions:
            return [(None, process) for process in evidence.list_roots() if has_failed(process)]
        for session in evidence.staging.sessions:
            process = evidence.process_of(session.entry)
            if not evidence.has_started(session) or has_failed(process):
                found.append((session, process))
        return sorted(found, key=lambda pair: bool(pair[0] and pair[0].joined))

    @cached_property
    def unstarted(self) -> list[EnteredSession]:
        """Return the sessions that ended before the exec of their program."""
        evidence = self.evidence
        return [
            session for session in evidence.staging.sessions if not evidence.has_started(session)
        ]

    @property
    def anything_failed(self) -> bool:
        """Return whether there is anything to explain."""
        return bool(self.evidence.status or self.failures)

    @cached_property
    def chain(self) -> list[TracedProcess]:
        """Return the processes from the first that failed down to the origin of the failure."""
        for session, process in self.failures:
            if session is None or self.evidence.has_started(session):
                return find_origin(self.evidence, process)
        return []

    @cached_property
    def verdict(self) -> FailureVerdict | None:
        """Return whether denials made the program fail; None if there are none to judge."""
        if self.confirmed:
            return self.confirmed
        cases = self.chain_denials
        if not self.chain or not cases:
            return None
        return judge_failure(self.evidence, self.chain, cases)

    @cached_property
    def engine_messages(self) -> list[StderrLine]:
        """Return the messages of engine, runtime and client."""
        return [
            message
            for message in self.evidence.messages
            if message.stage not in _INSIDE
            and not _NO_ERROR.match(message.text)
            and self._may_explain(message)
        ]

    def _may_explain(self, message: StderrLine) -> bool:
        """Return whether a message can be about the failure.

        Messages of a client that ended before are not, unless its failure became the command's.
        """
        process = self.evidence.process_of(message.segment)
        return message.stage is not Stage.CLIENT or not process.ended or process.id in self._clients

    @cached_property
    def _clients(self) -> set[int]:
        """Return the command's first process and the failed descendants that made it fail."""
        started = (
            process
            for process in self.evidence.trace.processes.values()
            if not process.found_running
        )
        return {one.id for root in list(started)[:1] for one in find_origin(self.evidence, root)}

    @cached_property
    def chain_denials(self) -> list[DenialCase]:
        """Return denials in the chain of failed processes, and in processes below it.

        Without those that the caller did without.
        """
        line = {process.id for process in self.chain}
        return [
            case
            for case in self.denials.all
            if case.stage is Stage.PROGRAM
            and not case.denial.instead
            and (case.process.id in line or self._is_below(case.process))
        ]

    def _is_below(self, process: TracedProcess) -> bool:
        """Return whether a process descends from the first that failed."""
        ancestors = self.evidence.list_ancestors(process)
        return bool(self.chain) and any(one.id == self.chain[0].id for one in ancestors)

    @cached_property
    def program_messages(self) -> list[StderrLine]:
        """Return the messages of the program and of hooks."""
        return [message for message in self.evidence.messages if message.stage in _INSIDE]

    def failing_calls(self, wanted: Callable[[Seen], bool]) -> list[Seen]:
        """Return calls that the kernel itself failed, the last first."""
        return [failure for failure in reversed(self.evidence.failures) if wanted(failure)]


CauseFinder = Callable[[DiagnosedRun], FoundCause | None]
