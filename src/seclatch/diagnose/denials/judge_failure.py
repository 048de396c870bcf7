"""Decide whether denied calls made a program fail: seccomp, not seccomp, or cannot tell.

What decides is, in this order: a signal of seccomp's; the last words, whose error and file a denied
call or one that the kernel itself failed has given; a script's text; the last calls before the end
(decision 0030). Where none of these decides, it cannot be told.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from seclatch.diagnose.denials.error_lines import (
    find_errnos,
    is_consequence,
    is_warning,
    names_call,
    names_path,
    names_path_below,
)
from seclatch.diagnose.denials.failure_chain import find_script_outcome, passes_certainly
from seclatch.diagnose.denials.last_calls import gives_up, is_work
from seclatch.diagnose.denials.last_words import BestMatch, LastWords
from seclatch.diagnose.denials.later_failures import Relation, has_single_purpose, relate
from seclatch.diagnose.denials.list_denials import DenialCase
from seclatch.diagnose.denials.own_words import (
    is_about,
    is_advice,
    is_exception,
    is_frame,
    is_mistake,
    is_network_error,
)
from seclatch.diagnose.denials.script_outcome import Outcome, ScriptOutcome
from seclatch.diagnose.denials.stderr_writes import BUFFERED, count_other_writes
from seclatch.diagnose.evidence.run_evidence import (
    RunEvidence,
    StderrLine,
    has_failed,
    read_exit_code,
)
from seclatch.diagnose.evidence.sentences import sounds_like_error
from seclatch.model import errno
from seclatch.recording.backends.bpf.detail_events import Seen
from seclatch.recording.trace.trace import TracedProcess

# Calls by which a program goes on with its work.
_WORKING_TEXT = """
execve execveat clone clone3 fork vfork connect accept accept4 sendto sendmsg bind listen mkdir
mkdirat rename renameat renameat2 link linkat symlink symlinkat ftruncate
"""
_WORKING = frozenset(_WORKING_TEXT.split())
_STARTING = ("clone", "clone3", "fork", "vfork")
_LEVEL = re.compile(r"^\W*(error|fatal|critical|panic)\b|[\[=\"](error|fatal|ftl)\b", re.IGNORECASE)
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


class FailureJudge:
    """Judges one chain of failed processes; `cases`: the denials that may have to do with it."""

    def __init__(
        self, evidence: RunEvidence, chain: list[TracedProcess], cases: Sequence[DenialCase]
    ) -> None:
        self._evidence = evidence
        self._chain = chain
        self._certain = {process.id for process in find_certain_chain(evidence, chain)}
        self._cases = cases
        self._ids = {process.id for process in chain}
        self._words = LastWords(evidence, self._may_explain)

    def judge(self) -> FailureVerdict:
        """Return the answer of the first evidence that decides."""
        ways = (
            self._by_signal,
            self._by_last_words,
            self._by_own_words,
            self._by_parents_words,
            self._by_script,
            self._by_last_calls,
        )
        for way in ways:
            if verdict := way():
                return self._doubt(verdict)
        return FailureVerdict(None, self._cases[-1])

    def _doubt(self, verdict: FailureVerdict) -> FailureVerdict:
        """Replace "not seccomp" by "cannot tell" if another process ended because of a denial.

        The failure may be a consequence of that, unless the process's script or parent is known to
        ignore it.
        """
        if verdict.seccomp is not False or verdict.ignored:
            return verdict
        for case in self._cases:
            other = case.denial.fatal and case.process.id != self._chain[-1].id
            if other and self._judge_script(case.process) is not Outcome.IGNORED:
                return FailureVerdict(None, case, failed=verdict.failed)
        return verdict

    def _by_signal(self) -> FailureVerdict | None:
        for case in self._cases:
            if case.denial.fatal and case.denial.signal and case.process.id in self._certain:
                return FailureVerdict(True, case)
        return None

    def _by_last_words(self) -> FailureVerdict | None:
        line = self._words.last_error
        if line is None:
            return None
        match = self._words.match(line, self._cases)
        if self._is_overtaken(line, match):
            return None
        ended = match.failed and match.case and match.failed.time < match.case.seen.time
        nearer = match.case and match.case.denial.fatal and ended  # it did nothing after that
        if match.case and match.case_fit == match.failed_fit and not nearer:
            return FailureVerdict(None, match.case)
        after = match.failed and match.case and match.case.seen.time > match.failed.time
        if after and match.failed_fit > match.case_fit > 1:
            return FailureVerdict(None, match.case)
        if match.case and match.case_fit >= match.failed_fit:
            return self._judge_named_denial(match.case, line)
        return self._judge_kernel_failure(match.failed) if match.failed else None

    def _is_overtaken(self, line: StderrLine, match: BestMatch) -> bool:
        """Return whether a process of the chain ended over a denial after this line."""
        return any(
            case.denial.fatal
            and case.seen.time > line.time
            and case.process.id in self._ids
            and case is not match.case
            for case in self._cases
        )

    def _judge_named_denial(self, case: DenialCase, line: StderrLine) -> FailureVerdict | None:
        """Judge a denial that the last error reported is about."""
        process = self._evidence.process_of(line.segment)
        script = self._judge_script(process)
        if script is Outcome.IGNORED:
            return None
        passed = process.id in self._certain or script is Outcome.ENDS
        after, worked = self._words.list_after(line), self._has_worked(line, process)
        others = [one for one in after if not _belongs_to(one.text, case)]
        if others and (worked or is_warning(line.text)) and self._are_mistakes(others):
            return FailureVerdict(False, None, [_quote(others)])
        if not passed:
            return self._by_parents_words() or FailureVerdict(None, case)
        telling = [one for one in others if not case.denial.fatal or sounds_like_error(one.text)]
        name = case.syscall.name
        repeated = any(names_call(one.text, name) and not is_warning(one.text) for one in after)
        if telling or (is_warning(line.text) and not repeated):
            return FailureVerdict(None, case)
        if worked and not after and not _complains(line):
            return FailureVerdict(None, case)
        return FailureVerdict(True, case, [f"its last words name that error: {line.text}"])

    def _are_mistakes(self, lines: Sequence[StderrLine]) -> bool:
        """Return whether lines report a mistake in the program or its input, and no denial."""
        own = {case.process.id for case in self._cases}
        if {self._evidence.process_of(line.segment).id for line in lines} != own:
            return False  # those of another process may be about what is missing
        told = [line.text for line in lines if not is_frame(line.text)]
        about = any(
            is_about(text, case.seen, case.syscall.name) for text in told for case in self._cases
        )
        return any(map(is_mistake, told)) and not about

    def _judge_kernel_failure(self, failed: Seen) -> FailureVerdict:
        """Judge a call that the kernel itself failed: on its own, or because of a denial."""
        found = [(self._relate(case, failed), case) for case in self._cases]
        relation = max((one for one, _ in found), default=Relation.NO)
        name = self._evidence.find_syscall(failed).name
        paths = ", ".join(f'"{path}"' for path in failed.paths)
        what = f"{name}({paths}) with {errno.name_errno(failed.errno)}"
        if relation is Relation.NO:
            fact = f"the kernel itself failed {what}, and no denied call has to do with that"
            return FailureVerdict(False, None, [fact], failed)
        case = next(case for one, case in reversed(found) if one is relation)
        if relation is Relation.MAYBE:
            return FailureVerdict(None, case, failed=failed)
        fact = f"without it the kernel failed {what} later, which the program ended over"
        return FailureVerdict(True, case, [fact], failed)

    def _relate(self, case: DenialCase, failed: Seen) -> Relation:
        """Return whether a failed call may follow from a denial, by its program's operands too."""
        other = failed.segment not in case.process.segments
        gave_up = other and has_failed(case.process)
        operands = self._evidence.image(case.seen.segment).argv if gave_up else ()
        found = relate(case.seen, case.syscall.name, failed, operands)
        return max(found, Relation.MAYBE if self._follows_directly(case, failed) else Relation.NO)

    def _follows_directly(self, case: DenialCase, failed: Seen) -> bool:
        """Return whether a failure came right after a denied call without a path: a fallback's."""
        if failed.segment not in case.process.segments:
            return False
        told = bool(case.seen.paths) or is_advice(case.syscall.name)
        return not told and not self._worked_between(case, failed.time)

    def _by_own_words(self) -> FailureVerdict | None:
        """Judge by words that name no error of the kernel's: about a denied call, or about none."""
        origin = self._chain[-1]
        for case in reversed(self._cases):
            written, name = self._words.list_of(origin, case.seen.time), case.syscall.name
            lines = [line for line in written if not is_frame(line.text)]
            if not lines or any(find_errnos(line.text) for line in lines):
                return None
            if any(is_about(line.text, case.seen, name) for line in lines):
                named = any(names_call(line.text, name) for line in lines)
                certain = named and case.process.id == origin.id and origin.id in self._certain
                return FailureVerdict(True, case, [_quote(lines)]) if certain else None
            texts = [line.text for line in lines]
            own = is_advice(name) or any(map(is_exception, texts))
            other = any(is_mistake(text) or is_network_error(text, name) for text in texts)
            other = other and case.process.id == origin.id and not self._is_followed(case)
            if not own and not other:
                return None
            harmless = is_advice(name) and any(map(is_mistake, texts))
            if not harmless and not self._worked_between(case, lines[0].time):
                return None
        facts = [_quote(self._words.list_of(origin, self._cases[-1].seen.time))]
        return FailureVerdict(False, None, facts)

    def _is_followed(self, case: DenialCase) -> bool:
        """Return whether a later failure may follow from a denial."""
        own = self._evidence.list_own_segments(self._chain[-1])
        failures = [one for one in self._evidence.failures if one.segment in own and one.paths]
        name = case.syscall.name
        return any(relate(case.seen, name, failed) is not Relation.NO for failed in failures)

    def _by_parents_words(self) -> FailureVerdict | None:
        """Judge by the last words of a parent about a child that ended over a denial."""
        for case in reversed(self._cases):
            ended, parent = case.process.ended or 0, self._find_parent(case.process)
            lines = self._words.list_of(parent, ended) if parent and ended else []
            if parent is None or not lines:
                return None
            if is_warning(lines[0].text) and len(lines) > 1:
                continue  # it says that it goes on, and does
            telling = [line.text for line in lines if sounds_like_error(line.text)]
            last = telling[-1] if telling else ""
            named = _names_program(last, case) or _names_status(last, case)
            certain = named and case.denial.fatal and parent.id in self._certain
            if not certain or find_errnos(last) or is_warning(last) or is_mistake(last):
                return None
            return FailureVerdict(True, case, [f"its last words: {last}"])
        fact = "it reports that it ignores that failure"
        return FailureVerdict(False, None, [fact], ignored=True)

    def _find_parent(self, process: TracedProcess) -> TracedProcess | None:
        """Return the nearest ancestor of a process that is in the chain; None if it is itself."""
        if process.id in self._ids:
            return None
        ancestors = self._evidence.list_ancestors(process)
        return next((one for one in ancestors if one.id in self._ids), None)

    def _worked_between(self, case: DenialCase, time: int) -> bool:
        """Return whether a process went on with its work between a denial and its last words."""
        evidence = self._evidence
        calls = evidence.list_last_calls(case.process)
        if not calls or calls[0].time > case.seen.time:
            return True  # more calls than are kept
        work = [
            call
            for call in calls
            if case.seen.time < call.time < time and is_work(call, evidence.find_syscall(call).name)
        ]
        return len(work) >= _WORK

    def _by_script(self) -> FailureVerdict | None:
        """Judge by the text of the script that ran the denied commands: it goes on after each."""
        for case in self._cases:
            found = self._find_script(case.process)
            ignored = found is not None and found.outcome is Outcome.IGNORED
            if not ignored or found is None or _is_used(self._evidence, case, found.later):
                return None
        names = ", ".join(dict.fromkeys(case.denial.program for case in self._cases))
        return FailureVerdict(False, None, [f"its script goes on if {names} fails"], ignored=True)

    def _by_last_calls(self) -> FailureVerdict | None:
        for case in self._cases:
            if case.denial.fatal and case.process.id in self._certain:
                lines = self._words.list_of(case.process, case.seen.time)
                about = [is_about(line.text, case.seen, case.syscall.name) for line in lines]
                certain = self._judge_script(case.process) is not Outcome.IGNORED
                certain = certain and (any(about) or not lines or bool(case.denial.signal))
                return FailureVerdict(certain or None, case)
        origin = self._chain[-1]
        failed = self._find_last_failure(origin)
        if failed is None or failed.text.startswith("<") or self._has_written(origin, failed):
            return None
        if any(
            case.process.id == origin.id and case.seen.time > failed.time for case in self._cases
        ):
            return None
        return self._judge_kernel_failure(failed)

    def _may_explain(self, process: TracedProcess) -> bool:
        """Return whether a process is in the chain, or failed below it."""
        if process.id in self._ids:
            return True
        ancestors = self._evidence.list_ancestors(process)
        return has_failed(process) and any(one.id in self._ids for one in ancestors)

    def _has_worked(self, line: StderrLine, process: TracedProcess) -> bool:
        """Return whether a process did something new after a line, and not only cleaned up."""
        evidence = self._evidence
        for call in evidence.list_last_calls(process):
            name = evidence.find_syscall(call).name
            begun = call.result == 0 and name in _STARTING  # the first return in a new thread
            if call.time > line.time and call.result >= 0 and name in _WORKING and not begun:
                return True
        return count_other_writes(evidence, process, line.time) > BUFFERED

    def _has_written(self, process: TracedProcess, failed: Seen) -> bool:
        """Return whether a process wrote something else after a failed call than its path."""
        lines = self._words.list_of(process, failed.time)
        return any(not names_path(line.text, failed.text) for line in lines)

    def _judge_script(self, process: TracedProcess) -> Outcome:
        found = self._find_script(process)
        return found.outcome if found else Outcome.UNKNOWN

    def _find_script(self, process: TracedProcess) -> ScriptOutcome | None:
        """Return what the nearest script of the chain does when this process fails."""
        line = list(self._evidence.list_ancestors(process))
        for child, parent in pairwise(line):
            found = find_script_outcome(self._evidence, parent, child)
            if parent.id in self._ids and found:
                return found
        return None

    def _find_last_failure(self, process: TracedProcess) -> Seen | None:
        """Return the call about a file that failed, and after which a process only cleaned up."""
        evidence = self._evidence
        for entry in reversed(evidence.list_last_calls(process)):
            if entry.result < 0 and not entry.refused:
                for seen in evidence.failures:
                    if seen.time == entry.time and seen.segment in process.segments and seen.paths:
                        return seen
            if not gives_up(entry, evidence.find_syscall(entry).name, False):
                return None
        return None


def _names_program(text: str, case: DenialCase) -> bool:
    """Return whether words name the program that was denied a call."""
    program = case.denial.program
    return bool(re.search(rf"(?<![\w-]){re.escape(program)}(?![\w-])", text))


def _names_status(text: str, case: DenialCase) -> bool:
    """Return whether words give the exit status of the program that was denied a call."""
    code = read_exit_code(case.process)
    return bool(re.search(rf"\b(error|status|code|exit\w*)\W{{0,12}}{code}\b", text, re.IGNORECASE))


def _complains(line: StderrLine) -> bool:
    """Return whether a line is an error report, and not a remark in passing.

    With its level or the program's name in front, as tools report that then go on (error(3)).
    """
    named = re.match(rf"{re.escape(line.program)}(\[\d+\])?: ", line.text)
    return bool(named or _LEVEL.search(line.text))


def _quote(lines: Sequence[StderrLine]) -> str:
    return f"its last words: {lines[-1].text}" if lines else "it said nothing of it"


def find_certain_chain(evidence: RunEvidence, chain: list[TracedProcess]) -> list[TracedProcess]:
    """Return the first part of a chain, as far as each process certainly failed by its child."""
    kept = chain[:1]
    for parent, child in pairwise(chain):
        if not passes_certainly(evidence, parent, child):
            break
        kept.append(child)
    return kept


def _belongs_to(text: str, case: DenialCase) -> bool:
    """Return whether a line after the last error still belongs to it."""
    paths = case.seen.paths
    by_path = any(names_path(text, path) or names_path_below(text, path) for path in paths)
    if is_mistake(text) and not by_path:
        return False
    return by_path or names_call(text, case.syscall.name) or is_consequence(text)


def _is_used(evidence: RunEvidence, case: DenialCase, later: str) -> bool:
    """Return whether later commands of a script may need what a denied call was to make."""
    program, *words = evidence.image(case.seen.segment).argv or ("",)
    if not case.seen.paths or "$" in later or not has_single_purpose(program):
        return True
    words = [word for word in words if not word.startswith("-")]
    names = {word.rstrip("/").rpartition("/")[2] for word in (*words, *case.seen.paths)}
    return any(
        name in later if len(name) > 1 else name in later.replace("/", " ").split()
        for name in names
    )
