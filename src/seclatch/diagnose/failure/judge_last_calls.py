"""Judge without words: by a signal, by the text of a script, or by the last calls."""

from __future__ import annotations

from seclatch.diagnose.denials.error_lines import (
    names_path,
)
from seclatch.diagnose.denials.last_calls import gives_up
from seclatch.diagnose.denials.list_denials import DenialCase
from seclatch.diagnose.evidence.run_evidence import (
    RunEvidence,
)
from seclatch.diagnose.failure.judge_kernel_failure import judge_kernel_failure
from seclatch.diagnose.failure.judged_failure import FailureVerdict, JudgedFailure
from seclatch.diagnose.failure.later_failures import has_single_purpose
from seclatch.diagnose.failure.own_words import is_about
from seclatch.diagnose.failure.script_outcome import Outcome
from seclatch.recording.backends.bpf.detail_events import Seen
from seclatch.recording.trace.trace import TracedProcess


def judge_signal(failure: JudgedFailure) -> FailureVerdict | None:
    """Judge by a signal of seccomp's that ended a process of the chain."""
    for case in failure.cases:
        if case.denial.fatal and case.denial.signal and case.process.id in failure.certain:
            return FailureVerdict(True, case)
    return None


def judge_script_text(failure: JudgedFailure) -> FailureVerdict | None:
    """Judge by the text of the script that ran the denied commands: it goes on after each."""
    for case in failure.cases:
        found = failure.find_script(case.process)
        ignored = found is not None and found.outcome is Outcome.IGNORED
        if not ignored or found is None or _is_used(failure.evidence, case, found.later):
            return None
    names = ", ".join(dict.fromkeys(case.denial.program for case in failure.cases))
    return FailureVerdict(False, None, [f"its script goes on if {names} fails"], ignored=True)


def judge_last_calls(failure: JudgedFailure) -> FailureVerdict | None:
    """Judge by the denied or failed call after which a process only cleaned up."""
    for case in failure.cases:
        if case.denial.fatal and case.process.id in failure.certain:
            lines = failure.words.list_of(case.process, case.seen.time)
            about = [is_about(line.text, case.seen, case.syscall.name) for line in lines]
            certain = failure.judge_script(case.process) is not Outcome.IGNORED
            certain = certain and (any(about) or not lines or bool(case.denial.signal))
            return FailureVerdict(certain or None, case)
    origin = failure.chain[-1]
    failed = _find_last_failure(failure, origin)
    if failed is None or failed.text.startswith("<") or _has_written(failure, origin, failed):
        return None
    if any(case.process.id == origin.id and case.seen.time > failed.time for case in failure.cases):
        return None
    return judge_kernel_failure(failure, failed)


def _has_written(failure: JudgedFailure, process: TracedProcess, failed: Seen) -> bool:
    """Return whether a process wrote something else after a failed call than its path."""
    lines = failure.words.list_of(process, failed.time)
    return any(not names_path(line.text, failed.text) for line in lines)


def _find_last_failure(failure: JudgedFailure, process: TracedProcess) -> Seen | None:
    """Return the call about a file that failed, and after which a process only cleaned up."""
    evidence = failure.evidence
    for entry in reversed(evidence.list_last_calls(process)):
        if entry.result < 0 and not entry.refused:
            for seen in evidence.failures:
                if seen.time == entry.time and seen.segment in process.segments and seen.paths:
                    return seen
        if not gives_up(entry, evidence.find_syscall(entry).name, False):
            return None
    return None


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
