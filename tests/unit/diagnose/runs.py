"""Runs made by hand: their evidence as `seclatch explain` would have it."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Sequence

from seclatch.diagnose.causes.diagnosed_run import DiagnosedRun, FoundCause
from seclatch.diagnose.causes.registry import find_cause
from seclatch.diagnose.denials.list_denials import DenialCase, RunDenials
from seclatch.diagnose.denials.matching_rule import make_evaluator
from seclatch.diagnose.evidence.run_evidence import RunEvidence
from seclatch.diagnose.evidence.stages_by_name import assign_by_name
from seclatch.diagnose.remedies.profile_fix import ProfileFixer
from seclatch.model.arch import Arch
from seclatch.model.profile.profile import Profile
from seclatch.model.syscall import load_syscalls
from seclatch.recording.backends.bpf.detail_events import DetailFlag, Seen, Sights, What
from seclatch.recording.trace.assign_stages import assign_stages
from tests.unit.recording.traces import Story


def make_fixer(command: Sequence[str], case: DenialCase) -> ProfileFixer:
    """Make the fixer for a profile that denies everything by its default action."""
    evaluator = make_evaluator(Profile("SCMP_ACT_ERRNO"), "crun", Arch.native())
    return ProfileFixer(command, case, evaluator)


NUMBERS = load_syscalls(Arch.native()).numbers


class Run(Story):
    """A run under construction, with messages and calls; each method is one moment later."""

    def __init__(self, *command: str) -> None:
        super().__init__()
        self.command = command
        self.sights = Sights()
        self._moments = itertools.count(1_000_000)
        self._flights: dict[int, list[bytes]] = {}

    def tells(self, segment: int, text: str) -> None:
        """Write to standard error."""
        lines = self.sights.said.setdefault(segment, [])
        lines.append((next(self._moments), f"{text}\n"))
        self._fly(segment, "write", DetailFlag(0), len(text), self.sights.said[segment][-1][0])

    def calls(self, segment: int, *names: str, **more: int) -> None:
        """Issue calls that succeed."""
        for name in names:
            self._fly(segment, name, DetailFlag(0), more.get("result", 0), next(self._moments))

    def fails(self, segment: int, name: str, error: int, text: str = "") -> None:
        """Issue a call that the kernel itself fails."""
        self._see(What.FAILED, segment, name, error, text)

    def is_refused(self, segment: int, name: str, error: int = 1, *args: int) -> None:
        """Issue a call that seccomp answers."""
        self._see(What.REFUSED, segment, name, error, "", args)

    @staticmethod
    def number(name: str) -> int:
        """Return a call's number on this machine."""
        return NUMBERS[name]

    def ends(self, segment: int, status: int) -> None:
        """End the process with this status, as a shell has it."""
        process = self.trace.processes[self.trace.segments[segment].process]
        process.ended = next(self._moments)
        process.status = status - 128 if status > 128 else status << 8

    def evidence(self, status: int = 1, engines: frozenset[str] = frozenset()) -> RunEvidence:
        staging = assign_stages(self.trace)
        assign_by_name(self.trace, staging)
        for segment, entries in self._flights.items():
            self.sights.fly(segment, struct.pack("=Q", len(entries)) + b"".join(entries))
        return RunEvidence(self.command, status, self.trace, staging, self.sights, engines=engines)

    def cause(self, status: int = 1, engines: frozenset[str] = frozenset()) -> FoundCause:
        evidence = self.evidence(status, engines)
        return find_cause(DiagnosedRun(evidence, RunDenials(evidence)))

    def _see(
        self, what: What, segment: int, name: str, error: int, text: str, args: tuple[int, ...] = ()
    ) -> None:
        time, tid = next(self._moments), self.trace.segments[segment].tid
        padded = (*args, *(0,) * (6 - len(args)))
        number = NUMBERS[name]
        seen = Seen(what, time, tid, segment, DetailFlag(0), number, -error, padded, text)
        self.sights.calls.append(seen)
        self.trace.segments[segment].calls[False, number] += 1
        mark = DetailFlag.REFUSED if what is What.REFUSED else DetailFlag(0)
        self._fly(segment, name, mark, -error, time)

    def _fly(self, segment: int, name: str, mark: DetailFlag, result: int, time: int) -> None:
        entry = struct.pack("=QIIq", time, NUMBERS[name], mark, result)
        self._flights.setdefault(segment, []).append(entry)
