"""Find the last error that failed processes reported, and the call that it is about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from errno import EACCES, EPERM
from functools import cached_property

from seclatch.diagnose.denials.error_lines import (
    find_errnos,
    find_implied_errnos,
    names_call,
    names_path,
)
from seclatch.diagnose.denials.list_denials import DenialCase
from seclatch.diagnose.evidence.run_evidence import RunEvidence, StderrLine
from seclatch.recording.backends.bpf.detail_events import Seen
from seclatch.recording.trace.trace import TracedProcess

_AROUND = 8
"""Lines before and after the one that names an error, which may say what it is about."""


@dataclass(frozen=True, slots=True)
class BestMatch:
    """The denial and the call failed by the kernel that an error fits best, and how well.

    A fit is 0 for none, 1 for a name or path with a similar error, 2 for the error alone, more with
    the call's name, and most with its path.
    """

    case: DenialCase | None
    case_fit: int
    failed: Seen | None
    failed_fit: int


class LastWords:
    """The lines that the wanted processes wrote, to standard error and last to standard output."""

    def __init__(self, evidence: RunEvidence, wanted: Callable[[TracedProcess], bool]) -> None:
        self._evidence = evidence
        self._wanted = wanted

    @cached_property
    def _lines(self) -> list[StderrLine]:
        evidence = self._evidence
        return [
            line
            for line in evidence.output_lines
            if line.text.strip() and self._wanted(evidence.process_of(line.segment))
        ]

    @cached_property
    def last_error(self) -> StderrLine | None:
        """Return the last line that names an error."""
        for line in reversed(self._lines):
            if find_errnos(line.text) or self._implies_failure(line):
                return line
        return None

    def _implies_failure(self, line: StderrLine) -> bool:
        """Return whether a line says of a file in its own words what the kernel answered."""
        codes = find_implied_errnos(line.text)
        own = self._evidence.list_own_segments(self._evidence.process_of(line.segment))
        return bool(codes) and any(
            failed.errno in codes and any(names_path(line.text, path) for path in failed.paths)
            for failed in self._evidence.failures
            if failed.segment in own and failed.time < line.time
        )

    def list_after(self, line: StderrLine) -> list[StderrLine]:
        """Return the lines after one."""
        return self._lines[self._lines.index(line) + 1 :]

    def list_of(self, process: TracedProcess, since: int) -> list[StderrLine]:
        """Return what the last program of a process wrote after a time."""
        own = self._evidence.list_own_segments(process)
        return [line for line in self._lines if line.segment in own and line.time > since]

    def match(self, line: StderrLine, cases: Sequence[DenialCase]) -> BestMatch:
        """Return the denial and the failed call that an error fits best."""
        evidence, codes = self._evidence, find_errnos(line.text)
        codes = codes or find_implied_errnos(line.text)
        block = self._take_block(line)
        case, case_fit = None, 0
        for one in cases:
            if one.seen.time < line.time and self._may_know(one.process, line):
                fit = _measure_fit(block, codes, one.seen, one.syscall.name)
                if fit and fit >= case_fit:
                    case, case_fit = one, fit
        own = evidence.list_own_segments(evidence.process_of(line.segment))
        failed, failed_fit = None, 0
        for failure in evidence.failures:
            if failure.segment in own and failure.time < line.time:
                fit = _measure_fit(block, codes, failure, evidence.find_syscall(failure).name)
                if fit and fit >= failed_fit:
                    failed, failed_fit = failure, fit
        return BestMatch(case, case_fit, failed, failed_fit)

    def _take_block(self, line: StderrLine) -> str:
        """Return a line with those around it that its writer wrote about the same error."""
        lines = [one for one in self._lines if one.segment == line.segment]
        at, codes = lines.index(line), find_errnos(line.text)
        around = lines[max(0, at - _AROUND) : at + _AROUND + 1]
        return "\n".join(one.text for one in around if find_errnos(one.text) <= codes)

    def _may_know(self, process: TracedProcess, line: StderrLine) -> bool:
        """Return whether the writer of a line may know of a call: its own, or of a descendant."""
        writer = self._evidence.process_of(line.segment)
        return any(one.id == writer.id for one in self._evidence.list_ancestors(process))


def _measure_fit(text: str, codes: frozenset[int], seen: Seen, name: str) -> int:
    """Return how well an error fits a call.

    Programs also print "permission denied" for EPERM; the call's name or path must then be there.
    """
    by_path = any(names_path(text, path) for path in seen.paths)
    by_name = names_call(text, name)
    if seen.errno in codes:
        return 2 + 4 * by_path + 2 * by_name
    if seen.errno in (EPERM, EACCES) and codes & {EPERM, EACCES}:
        return 1 + by_path if by_path or by_name else 0
    return 0
