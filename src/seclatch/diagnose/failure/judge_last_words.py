"""Judge by the last error reported: a denied call gave it, or one that the kernel failed."""

from __future__ import annotations

import re
from collections.abc import Sequence

from seclatch.diagnose.denials.error_lines import (
    is_consequence,
    is_warning,
    names_call,
    names_path,
    names_path_below,
)
from seclatch.diagnose.denials.list_denials import DenialCase
from seclatch.diagnose.evidence.run_evidence import (
    StderrLine,
)
from seclatch.diagnose.evidence.sentences import sounds_like_error
from seclatch.diagnose.failure.judge_kernel_failure import judge_kernel_failure
from seclatch.diagnose.failure.judge_own_words import judge_parents_words
from seclatch.diagnose.failure.judged_failure import FailureVerdict, JudgedFailure, quote_last_words
from seclatch.diagnose.failure.last_words import BestMatch
from seclatch.diagnose.failure.own_words import has_topic, is_about, is_bug, is_mistake
from seclatch.diagnose.failure.script_outcome import Outcome
from seclatch.recording.backends.bpf.detail_events import Seen

_RAISED = re.compile(r"[\w.]*(Error|Exception)\b")
_BY_ERROR = 2
"""A fit by the error alone: see BestMatch."""

_LEVEL = re.compile(
    r"^\W*(error|fatal|critical|panic|abort(ed|ing)?|emerg)\b|^E: |[\[=\"](error|fatal|ftl)\b",
    re.IGNORECASE,
)


def judge_last_words(failure: JudgedFailure) -> FailureVerdict | None:
    """Judge by the call that the last error fits best; None if it fits none."""
    line = failure.words.last_error
    if line is None:
        return None
    match = failure.words.match(line, failure.cases)
    if _is_overtaken(failure, line, match):
        return None
    ended = match.failed and match.case and match.failed.time < match.case.seen.time
    nearer = match.case and match.case.denial.fatal and ended  # it did nothing after that
    if match.case and match.case_fit == match.failed_fit and not nearer:
        return FailureVerdict(None, match.case)
    after = match.failed and match.case and match.case.seen.time > match.failed.time
    if after and match.failed_fit > match.case_fit > 1:
        return FailureVerdict(None, match.case)
    if match.case and match.case_fit >= match.failed_fit:
        return _judge_named_denial(failure, match.case, line)
    return _judge_failed_call(failure, match.failed, match.failed_fit) if match.failed else None


def _judge_failed_call(failure: JudgedFailure, failed: Seen, fit: int) -> FailureVerdict:
    """Judge a call that the kernel failed, unless its process ended over a denied one after it."""
    ended = _find_later_end(failure, failed)
    if ended:
        return FailureVerdict(None, ended)
    verdict = judge_kernel_failure(failure, failed)
    if verdict.seccomp is False and fit <= _BY_ERROR and failed.paths:
        # The error alone: programs look for many files that are not there, and do without.
        return FailureVerdict(None, failure.cases[-1], failed=failed)
    return verdict


def _find_later_end(failure: JudgedFailure, failed: Seen) -> DenialCase | None:
    """Return the denial over which a process ended after a call that the kernel had failed."""
    for case in failure.cases:
        own = failed.segment in case.process.segments
        if own and case.denial.fatal and case.seen.time > failed.time:
            return case
    return None


def _is_overtaken(failure: JudgedFailure, line: StderrLine, match: BestMatch) -> bool:
    """Return whether a process of the chain ended over a denial after this line."""
    return any(
        case.denial.fatal
        and case.seen.time > line.time
        and case.process.id in failure.ids
        and case is not match.case
        for case in failure.cases
    )


def _judge_named_denial(
    failure: JudgedFailure, case: DenialCase, line: StderrLine
) -> FailureVerdict | None:
    """Judge a denial that the last error reported is about."""
    process = failure.evidence.process_of(line.segment)
    script = failure.judge_script(process)
    if script is Outcome.IGNORED:
        return None
    passed = process.id in failure.certain or script is Outcome.ENDS
    after, worked = failure.words.list_after(line), failure.has_worked(line, process)
    others = [one for one in after if not _belongs_to(one.text, case)]
    raised = any(is_bug(one.text) for one in others) and not _complains(line)
    harmless = worked or is_warning(line.text) or raised
    if others and harmless and _are_mistakes(failure, others):
        return FailureVerdict(False, None, [quote_last_words(others)])
    if not passed:
        return judge_parents_words(failure) or FailureVerdict(None, case)
    telling = [one for one in others if _is_another_failure(failure, case, line, one)]
    name = case.syscall.name
    repeated = any(
        (names_call(one.text, name) or has_topic(one.text, name)) and not is_warning(one.text)
        for one in after
    )
    if telling or (is_warning(line.text) and not repeated):
        return FailureVerdict(None, case)
    vague = not case.denial.fatal and not _names_denial(line.text, case)
    if worked and not after and (vague or not _complains(line)):
        return FailureVerdict(None, case)
    return FailureVerdict(True, case, [f"its last words name that error: {line.text}"])


def _is_another_failure(
    failure: JudgedFailure, case: DenialCase, line: StderrLine, later: StderrLine
) -> bool:
    """Return whether a later line reports another failure than the line about the denial.

    What a process writes without any work in between is one report: `test failed`. Words that sound
    like no failure are of another subject, if the process did not end over the denial, and the
    line about it was a remark.
    """
    failing = sounds_like_error(later.text)
    if case.denial.fatal and not failing:
        return False
    if is_mistake(later.text) or failure.has_done_more(line, later):
        return True
    reported = _complains(line) or _RAISED.match(line.text)
    return not (case.denial.fatal or failing or reported)


def _are_mistakes(failure: JudgedFailure, lines: Sequence[StderrLine]) -> bool:
    """Return whether lines report a mistake in the program or its input, and no denial."""
    own = {case.process.id for case in failure.cases}
    if {failure.evidence.process_of(line.segment).id for line in lines} != own:
        return False  # those of another process may be about what is missing
    told = [line.text for line in failure.drop_quotes(lines)]
    about = any(
        is_about(text, case.seen, case.syscall.name) for text in told for case in failure.cases
    )
    return any(map(is_mistake, told)) and not about


def _names_denial(text: str, case: DenialCase) -> bool:
    """Return whether words name the denied call or its file, and not its error alone."""
    return names_call(text, case.syscall.name) or any(
        names_path(text, path) for path in case.seen.paths
    )


def _complains(line: StderrLine) -> bool:
    """Return whether a line is an error report, and not a remark in passing.

    With its level or the program's name in front, as tools report that then go on (error(3)).
    """
    named = re.match(rf"{re.escape(line.program)}(\[\d+\])?: ", line.text)
    return bool(named or _LEVEL.search(line.text))


def _belongs_to(text: str, case: DenialCase) -> bool:
    """Return whether a line after the last error still belongs to it."""
    paths = case.seen.paths
    by_path = any(names_path(text, path) or names_path_below(text, path) for path in paths)
    if is_mistake(text) and not by_path:
        return False
    return by_path or names_call(text, case.syscall.name) or is_consequence(text)
