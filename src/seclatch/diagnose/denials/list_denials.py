"""List the denials of a run, each with its rule, and which of them ended a process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from seclatch.diagnose.denials.argument_text import show_arguments
from seclatch.diagnose.denials.fatal_denial import FatalDenials
from seclatch.diagnose.denials.recovered_calls import find_substitute
from seclatch.diagnose.evidence.command_line import find_applied_profile
from seclatch.diagnose.evidence.run_evidence import RunEvidence
from seclatch.model import errno
from seclatch.model.action import MAX_ERRNO, Action, ActionKind
from seclatch.model.explanation import DenyingRule, ExplainedDenial
from seclatch.model.stage import Stage
from seclatch.model.syscall import Syscall
from seclatch.process.tightened_records import TightenedFilter, read_tightened
from seclatch.recording.backends.bpf.detail_events import DetailFlag, Seen
from seclatch.recording.trace.assign_stages import EnteredSession
from seclatch.recording.trace.trace import TracedProcess

if TYPE_CHECKING:
    from seclatch.diagnose.denials.matching_rule import ProfileEvaluator

_SIGNALLED = {ActionKind.KILL_PROCESS, ActionKind.KILL_THREAD, ActionKind.TRAP}


@dataclass(frozen=True, slots=True)
class DenialCase:
    """One denial with what it belongs to.

    `meant`: the errno that the profile has for it, if the caller got another (0 if not); `held`:
    the caller's capabilities, as in TaskFacts.
    """

    denial: ExplainedDenial
    seen: Seen
    syscall: Syscall
    stage: Stage
    process: TracedProcess
    session: EnteredSession | None
    meant: int = 0
    held: tuple[int, ...] = ()


class RunDenials:
    """Finds all denials of a run; `origin` names the profile, "" for where it was found."""

    def __init__(self, evidence: RunEvidence, origin: str = "") -> None:
        self._evidence = evidence
        self._origin = origin
        self._judges: dict[int, ProfileEvaluator | None] = {}
        self._fatals = FatalDenials(evidence)

    @cached_property
    def all(self) -> list[DenialCase]:
        """Return all denials in order of time; equal ones of one process and stage are counted."""
        groups: dict[tuple[object, ...], list[Seen]] = {}
        for seen in self._evidence.refusals:
            call = self._evidence.find_syscall(seen)
            shown = tuple(show_arguments(call.name, seen.args, *seen.paths))
            killed = bool(seen.mode & DetailFlag.KILLED)
            segment = self._evidence.trace.segments[seen.segment]
            stage = self._evidence.stage(seen.segment)
            key = (segment.process, stage, call, shown, seen.errno, killed)
            groups.setdefault(key, []).append(seen)
        return [self._make_case(group) for group in groups.values()]

    def fatal(self, stage: Stage | None = None) -> Iterator[DenialCase]:
        """Yield the denials that ended a process."""
        for case in self.all:
            if case.denial.fatal and stage in (None, case.stage):
                yield case

    def find_evaluator(self, session: EnteredSession | None) -> ProfileEvaluator | None:
        """Return the evaluator of the profile of a session's container."""
        if session is None:
            return self._applied
        if session.entry not in self._judges:
            from seclatch.diagnose.denials.matching_rule import make_evaluator

            container = self._evidence.container(session)
            profile = container.profile if container else None
            runtime = self._evidence.runtime(session)
            self._judges[session.entry] = make_evaluator(profile, runtime, self._evidence.native)
        return self._judges[session.entry]

    @cached_property
    def _applied(self) -> ProfileEvaluator | None:
        """Return the evaluator of the profile that `seclatch apply` in the command puts on."""
        file = find_applied_profile(self._evidence.command)
        if not file:
            return None
        from seclatch.diagnose.denials.matching_rule import make_applied_evaluator

        return make_applied_evaluator(Path(file), self._evidence.native)

    def _make_case(self, group: list[Seen]) -> DenialCase:
        first, evidence = group[0], self._evidence
        session = evidence.session_of(first.segment)
        process = evidence.process_of(first.segment)
        call = evidence.find_syscall(first)
        stage = evidence.stage(first.segment)
        rule, ruled = self._find_rule(first, call, session)
        signalled = first.mode & (DetailFlag.KILLED | DetailFlag.SIGSYS) or (
            ruled and ruled.kind in _SIGNALLED
        )
        code = "" if signalled or not first.errno else errno.name_errno(first.errno)
        meant = _find_meant_errno(evidence, first, ruled, session) if ruled and not signalled else 0
        if meant:
            name = errno.name_errno(meant)
            words = f"{rule.text}, which says {name}: an earlier filter of crun's cache"
            rule = msgspec.structs.replace(rule, text=words)
        fatal = any(self._fatals.includes(seen, process) for seen in group)
        recovered = stage is Stage.PROGRAM and not fatal
        denial = ExplainedDenial(
            syscall=str(call),
            number=call.number,
            arch=call.arch.title,
            arguments=show_arguments(call.name, first.args, *first.paths),
            action=str(ruled or ""),
            errno=code,
            signal="SIGSYS" if signalled else "",
            count=len(group),
            time=round((first.time - self._began) / 1e9, 6),
            pid=process.pid,
            program=evidence.program(first.segment),
            stage=stage.value,
            session="" if session is None else "exec" if session.joined else "start",
            fatal=fatal,
            rule=rule,
            instead=find_substitute(evidence, first, process) if recovered else "",
        )
        held = evidence.trace.segments[first.segment].facts.capabilities
        return DenialCase(denial, first, call, stage, process, session, meant, held)

    @cached_property
    def _began(self) -> int:
        return min((segment.time for segment in self._evidence.trace.segments.values()), default=0)

    def _find_rule(
        self, seen: Seen, call: Syscall, session: EnteredSession | None
    ) -> tuple[DenyingRule, Action | None]:
        found = self.find_evaluator(session)
        container = self._evidence.container(session)
        where = self._origin or (container.source if container else "")
        ruling = found.evaluate(call, seen.args) if found else None
        if ruling is None or ruling.action.kind.executes:
            # Another filter denied the call: one that the program, or an ancestor, loaded.
            words = "a filter that is not the container's" if ruling else "a profile not known here"
            words += self._describe_tightening(seen)
            return DenyingRule(by="unknown", text=words), None
        rule = DenyingRule(by=ruling.by, text=ruling.reason, index=ruling.rule, profile=where)
        return rule, ruling.action

    def _describe_tightening(self, seen: Seen) -> str:
        """Say when `seclatch tighten` put a filter on the process or one that it descends from."""
        process = self._evidence.process_of(seen.segment)
        pids = {process.pid, *(each.pid for each in self._evidence.list_ancestors(process))}
        times = [each.when for each in self._tightened if each.pid in pids]
        return f"; `seclatch tighten` put one on {max(times)}" if times else ""

    @cached_property
    def _tightened(self) -> list[TightenedFilter]:
        return list(read_tightened().values())


def _find_meant_errno(
    evidence: RunEvidence, seen: Seen, ruled: Action, session: EnteredSession | None
) -> int:
    """Return the errno that the profile has for a call if its caller got another one, else 0.

    crun finds a compiled filter again by a checksum of the profile that leaves out `errnoRet`
    (measured with 1.21, decision 0071): a profile that differs from an earlier one in nothing else
    gets the errnos of that one. Only where the container's filter is the only one: of two, the
    other may have answered.
    """
    if session is None or ruled.kind is not ActionKind.ERRNO:
        return 0
    meant = min(ruled.data, MAX_ERRNO)
    alone = evidence.trace.segments[seen.segment].facts.filters == 1
    cached = alone and evidence.runtime(session) == "crun"
    return meant if cached and meant != seen.errno else 0
