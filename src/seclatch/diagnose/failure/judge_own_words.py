"""Judge by words that name no error of the kernel's: a program's own, or its parent's about it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from seclatch.diagnose.denials.error_lines import (
    find_errnos,
    is_warning,
    names_call,
)
from seclatch.diagnose.denials.list_denials import DenialCase
from seclatch.diagnose.evidence.run_evidence import StderrLine, read_exit_code
from seclatch.diagnose.evidence.sentences import sounds_like_error
from seclatch.diagnose.failure.judged_failure import FailureVerdict, JudgedFailure, quote_last_words
from seclatch.diagnose.failure.later_failures import Relation, relate
from seclatch.diagnose.failure.own_words import (
    has_topic,
    is_about,
    is_advice,
    is_assertion,
    is_bug,
    is_exception,
    is_mistake,
    is_network_error,
)


def judge_own_words(failure: JudgedFailure) -> FailureVerdict | None:
    """Judge by words that name no error of the kernel's: about a denied call, or about none."""
    origin = failure.chain[-1]
    for case in reversed(failure.cases):
        written, name = failure.words.list_of(origin, case.seen.time), case.syscall.name
        lines = failure.drop_quotes(written)
        if not lines or any(find_errnos(line.text) for line in lines):
            return None
        if any(is_about(line.text, case.seen, name) for line in lines):
            named = any(names_call(line.text, name) for line in lines)
            named = named or _reports_at_once(failure, case, lines)
            certain = named and case.process.id == origin.id and origin.id in failure.certain
            return FailureVerdict(True, case, [quote_last_words(lines)]) if certain else None
        texts = [line.text for line in lines]
        # Not any exception: a RuntimeError or an assertion may be about a denied call.
        own = is_advice(name) or any(map(is_bug, texts))
        mistakes = [text for text in texts if is_mistake(text) and not is_assertion(text)]
        other = bool(mistakes) or any(is_network_error(text, name) for text in texts)
        other = other and case.process.id == origin.id and not _is_followed(failure, case)
        if not own and not other:
            return None
        harmless = is_advice(name) and any(map(is_mistake, texts))
        harmless = harmless or any(map(is_bug, texts))
        if not harmless and not failure.worked_between(case, lines[0].time):
            return None
    facts = [quote_last_words(failure.words.list_of(origin, failure.cases[-1].seen.time))]
    return FailureVerdict(False, None, facts)


def _reports_at_once(failure: JudgedFailure, case: DenialCase, lines: Sequence[StderrLine]) -> bool:
    """Return whether lines after a denied call report a failure of such a call's kind.

    With its file in the last of them; or right after it, without other work. Not if an exception
    or a mistake says more.
    """
    texts = [line.text for line in lines]
    other = any(is_mistake(text) or is_exception(text) or is_warning(text) for text in texts)
    if other or is_advice(case.syscall.name):
        return False
    name, errors = case.syscall.name, [text for text in texts if sounds_like_error(text)]
    paths = [path for path in case.seen.paths if path.count("/") > 1]
    if errors and any(path in errors[-1].split() for path in paths):
        return True
    soon = not failure.worked_between(case, lines[0].time)
    return soon and any(has_topic(text, name) for text in errors)


def _is_followed(failure: JudgedFailure, case: DenialCase) -> bool:
    """Return whether a later failure may follow from a denial."""
    own = failure.evidence.list_own_segments(failure.chain[-1])
    failures = [one for one in failure.evidence.failures if one.segment in own and one.paths]
    name = case.syscall.name
    return any(relate(case.seen, name, failed) is not Relation.NO for failed in failures)


def judge_parents_words(failure: JudgedFailure) -> FailureVerdict | None:
    """Judge by the last words of a parent about a child that ended over a denial."""
    for case in reversed(failure.cases):
        ended, parent = case.process.ended or 0, failure.find_parent(case.process)
        lines = failure.words.list_of(parent, ended) if parent and ended else []
        if parent is None or not lines:
            return None
        if is_warning(lines[0].text) and len(lines) > 1:
            continue  # it says that it goes on, and does
        telling = [line.text for line in lines if sounds_like_error(line.text)]
        last = telling[-1] if telling else ""
        named = _names_program(last, case) or _names_status(last, case)
        certain = named and case.denial.fatal and parent.id in failure.certain
        if not certain or find_errnos(last) or is_warning(last) or is_mistake(last):
            return None
        return FailureVerdict(True, case, [f"its last words: {last}"])
    fact = "it reports that it ignores that failure"
    return FailureVerdict(False, None, [fact], ignored=True)


def _names_program(text: str, case: DenialCase) -> bool:
    """Return whether words name the program that was denied a call."""
    program = case.denial.program
    return bool(re.search(rf"(?<![\w-]){re.escape(program)}(?![\w-])", text))


def _names_status(text: str, case: DenialCase) -> bool:
    """Return whether words give the exit status of the program that was denied a call."""
    code = read_exit_code(case.process)
    return bool(re.search(rf"\b(error|status|code|exit\w*)\W{{0,12}}{code}\b", text, re.IGNORECASE))
