"""A chain of failed processes with the denials that may have to do with it: what is judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from seclatch.diagnose.denials.last_calls import is_work
from seclatch.diagnose.denials.list_denials import DenialCase
from seclatch.diagnose.denials.stderr_writes import BUFFERED, count_other_writes
from seclatch.diagnose.evidence.run_evidence import RunEvidence, StderrLine, has_failed
from seclatch.diagnose.failure.failure_chain import find_script_outcome, passes_certainly
from seclatch.diagnose.failure.last_words import LastWords
from seclatch.diagnose.failure.own_words import is_frame, quotes_source
from seclatch.diagnose.failure.script_outcome import Outcome, ScriptOutcome
from seclatch.recording.backends.bpf.detail_events import Seen
from seclatch.recording.trace.trace import TracedProcess

# Calls by which a program goes on with its work.
_WORKING_TEXT = """
execve execveat clone clone3 fork vfork connect accept accept4 sendto sendmsg bind listen mkdir
mkdirat rename renameat renameat2 link linkat symlink symlinkat ftruncate
"""
_WORKING = frozenset(_WORKING_TEXT.split())
_STARTING = ("clone", "clone3", "fork", "vfork")
_WORK = 8
"""Calls besides cleaning up and formatting, after which words are no reaction to a denied call."""


@dataclass(frozen=True, slots=True)
class FailureVerdict:
    """The answer, the denial that it is about, and the evidence that decides, as sentences.

    `failed`: a call that the kernel failed, because of the denial or for a reason of its own.
    `ignored`: what started the denied program is known to ignore its failure.
    """

    seccomp: bool | None
    case: DenialCase | None = None
    facts: list[str] = field(default_factory=list)
    failed: Seen | None = None
    ignored: bool = False


class JudgedFailure:
    """One chain of failed processes; `cases`: the denials that may have to do with it.

    `certain`: the processes of the chain that certainly failed by their child; `ids`: all of them.
    """

    def __init__(
        self, evidence: RunEvidence, chain: list[TracedProcess], cases: Sequence[DenialCase]
    ) -> None:
        self.evidence = evidence
        self.chain = chain
        self.certain = {process.id for process in find_certain_chain(evidence, chain)}
        self.cases = cases
        self.ids = {process.id for process in chain}
        self.words = LastWords(evidence, self._may_explain)

    def _may_explain(self, process: TracedProcess) -> bool:
        """Return whether a process is in the chain, or failed below it."""
        if process.id in self.ids:
            return True
        ancestors = self.evidence.list_ancestors(process)
        return has_failed(process) and any(one.id in self.ids for one in ancestors)

    def has_worked(self, line: StderrLine, process: TracedProcess) -> bool:
        """Return whether a process did something new after a line, and not only cleaned up."""
        evidence = self.evidence
        for call in evidence.list_last_calls(process):
            name = evidence.find_syscall(call).name
            begun = call.result == 0 and name in _STARTING  # the first return in a new thread
            if call.time > line.time and call.result >= 0 and name in _WORKING and not begun:
                return True
        return count_other_writes(evidence, process, line.time) > BUFFERED

    def worked_between(self, case: DenialCase, time: int) -> bool:
        """Return whether a process went on with its work between a denial and its last words."""
        evidence = self.evidence
        calls = evidence.list_last_calls(case.process)
        if not calls or calls[0].time > case.seen.time:
            return True  # more calls than are kept
        work = [
            call
            for call in calls
            if case.seen.time < call.time < time and is_work(call, evidence.find_syscall(call).name)
        ]
        return len(work) >= _WORK

    def has_done_more(self, line: StderrLine, later: StderrLine) -> bool:
        """Return whether there is anything but cleaning up between two lines of one process.

        If not, they are one report.
        """
        process = self.evidence.process_of(line.segment)
        if process.id != self.evidence.process_of(later.segment).id:
            return True
        calls = self.evidence.list_last_calls(process)
        between = [call for call in calls if line.time < call.time < later.time]
        return any(is_work(call, self.evidence.find_syscall(call).name) for call in between)

    def drop_quotes(self, lines: Sequence[StderrLine]) -> list[StderrLine]:
        """Return lines without those that list a stack or repeat the program's text."""
        return [
            line
            for line in lines
            if not is_frame(line.text)
            and not quotes_source(line.text, self.evidence.image(line.segment).argv)
        ]

    def find_parent(self, process: TracedProcess) -> TracedProcess | None:
        """Return the nearest ancestor of a process that is in the chain; None if it is itself."""
        if process.id in self.ids:
            return None
        ancestors = self.evidence.list_ancestors(process)
        return next((one for one in ancestors if one.id in self.ids), None)

    def judge_script(self, process: TracedProcess) -> Outcome:
        """Return what the nearest script of the chain does when a process fails."""
        found = self.find_script(process)
        return found.outcome if found else Outcome.UNKNOWN

    def find_script(self, process: TracedProcess) -> ScriptOutcome | None:
        """Return what the nearest script of the chain does, and its text behind the command."""
        line = list(self.evidence.list_ancestors(process))
        for child, parent in pairwise(line):
            found = find_script_outcome(self.evidence, parent, child)
            if parent.id in self.ids and found:
                return found
        return None


def find_certain_chain(evidence: RunEvidence, chain: list[TracedProcess]) -> list[TracedProcess]:
    """Return the first part of a chain, as far as each process certainly failed by its child."""
    kept = chain[:1]
    for parent, child in pairwise(chain):
        if not passes_certainly(evidence, parent, child):
            break
        kept.append(child)
    return kept


def quote_last_words(lines: Sequence[StderrLine]) -> str:
    """Return a fact: the last of some lines."""
    return f"its last words: {lines[-1].text}" if lines else "it said nothing of it"
