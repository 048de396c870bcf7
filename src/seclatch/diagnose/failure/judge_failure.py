"""Decide whether denied calls made a program fail: seccomp, not seccomp, or cannot tell.

What decides is, in this order: a signal of seccomp's; the last words, whose error and file a denied
call or one that the kernel itself failed has given; a script's text; the last calls before the end
(decision 0030). Where none of these decides, it cannot be told.
"""

from __future__ import annotations

from collections.abc import Sequence

from seclatch.diagnose.denials.list_denials import DenialCase
from seclatch.diagnose.evidence.run_evidence import RunEvidence
from seclatch.diagnose.failure.judge_last_calls import (
    judge_last_calls,
    judge_script_text,
    judge_signal,
)
from seclatch.diagnose.failure.judge_last_words import judge_last_words
from seclatch.diagnose.failure.judge_own_words import judge_own_words, judge_parents_words
from seclatch.diagnose.failure.judged_failure import FailureVerdict, JudgedFailure
from seclatch.diagnose.failure.script_outcome import Outcome
from seclatch.recording.trace.trace import TracedProcess

_WAYS = (
    judge_signal,
    judge_last_words,
    judge_own_words,
    judge_parents_words,
    judge_script_text,
    judge_last_calls,
)


def judge_failure(
    evidence: RunEvidence, chain: list[TracedProcess], cases: Sequence[DenialCase]
) -> FailureVerdict:
    """Return the answer of the first evidence that decides."""
    failure = JudgedFailure(evidence, chain, cases)
    for judge in _WAYS:
        if verdict := judge(failure):
            return _doubt(failure, verdict)
    return FailureVerdict(None, cases[-1])


def _doubt(failure: JudgedFailure, verdict: FailureVerdict) -> FailureVerdict:
    """Replace "not seccomp" by "cannot tell" if another process ended because of a denial.

    The failure may be a consequence of that, unless the process's script or parent is known to
    ignore it.
    """
    if verdict.seccomp is not False or verdict.ignored:
        return verdict
    for case in failure.cases:
        other = case.denial.fatal and case.process.id != failure.chain[-1].id
        if other and failure.judge_script(case.process) is not Outcome.IGNORED:
            return FailureVerdict(None, case, failed=verdict.failed)
    return verdict
