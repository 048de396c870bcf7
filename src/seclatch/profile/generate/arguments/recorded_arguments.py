"""Judge a recorded call by the argument values that the recording has of it.

A recording keeps each argument by itself: for `socket` the values of argument 0 and those of
argument 1, and not which of them came together. An argument that was not recorded may have had any
value.
"""

from __future__ import annotations

import enum
import itertools
from collections import Counter
from collections.abc import Sequence

from seclatch.model.arch import Arch
from seclatch.model.recording.call_matrix import list_entries
from seclatch.model.recording.recording import Recording
from seclatch.profile.meaning import rule_comparison
from seclatch.profile.meaning.clause import Clause
from seclatch.profile.meaning.known_arguments import know_arguments
from seclatch.profile.meaning.rule_meaning import ProfileMeaning

MAX_COMPARISONS = 500_000
MAX_CASES = 4096
"""How often a recorded value is compared for one argument, and how many combinations of values are
looked at for one call: both files may be hostile. Beyond, an argument counts as not recorded."""

Values = dict[int, frozenset[int]]
"""Argument → all values that a stage passed in it."""


class ArgumentVerdict(enum.Enum):
    """What a profile does to a call with the recorded arguments."""

    EXECUTED = "executed"
    DENIED = "denied, for one of the recorded values at least"
    UNDECIDED = "depends on arguments, or on their combination, that the recording does not have"


def recorded_values(recording: Recording, stage: str, arch: Arch) -> dict[str, Values]:
    """Collect, by call, the arguments of which the recording has the value for every call."""
    issued: Counter[str] = Counter()
    for each in list_entries(recording):
        if each.stage == stage and each.arch == arch.title:
            issued[each.name] += each.count
    counted: Counter[tuple[str, int]] = Counter()
    values: dict[tuple[str, int], set[int]] = {}
    for argument in recording.arguments:
        # clone3's argument 0 is recorded as the flags behind the pointer that seccomp sees.
        if (argument.stage, argument.arch) == (stage, arch.title) and argument.name != "clone3":
            key = (argument.name, argument.index)
            counted[key] += argument.count
            values.setdefault(key, set()).add(argument.value)
    whole: dict[str, Values] = {}
    for (name, index), seen in values.items():
        if counted[name, index] >= issued[name]:
            whole.setdefault(name, {})[index] = frozenset(seen)
    return whole


def judge_arguments(meaning: ProfileMeaning, name: str, values: Values) -> ArgumentVerdict:
    """Decide what becomes of a call whose recorded arguments have these values."""
    clauses = meaning.clauses(name)
    known = {
        index: found
        for index in sorted({arg.index for clause in clauses for arg in clause.args})
        if index in values and (found := _distinct(clauses, index, values[index], meaning.bits))
    }
    cases = list(itertools.islice(itertools.product(*known.values()), MAX_CASES + 1))
    if len(cases) > MAX_CASES:
        known, cases = {}, [()]
    verdicts = [_judge_case(meaning, name, dict(zip(known, case, strict=True))) for case in cases]
    if all(verdict is ArgumentVerdict.EXECUTED for verdict in verdicts):
        return ArgumentVerdict.EXECUTED
    denied = [verdict is ArgumentVerdict.DENIED for verdict in verdicts]
    if all(denied) or _some_value_is_always_denied(cases, denied):
        return ArgumentVerdict.DENIED
    return ArgumentVerdict.UNDECIDED


def _distinct(clauses: Sequence[Clause], index: int, seen: frozenset[int], bits: int) -> list[int]:
    """Keep one value of those for which all comparisons come out the same."""
    compared = [
        rule_comparison.fit_width(arg, bits)
        for clause in clauses
        for arg in clause.args
        if arg.index == index
    ]
    if len(seen) * len(compared) > MAX_COMPARISONS:
        return []
    alike = {
        tuple(rule_comparison.matches_value(arg, value) for arg in compared): value
        for value in sorted(seen)
    }
    return list(alike.values())


def _some_value_is_always_denied(cases: list[tuple[int, ...]], denied: list[bool]) -> bool:
    """Each value was passed in some call, whichever values the other arguments had there."""
    spared = {
        (place, value)
        for case, no in zip(cases, denied, strict=True)
        if not no
        for place, value in enumerate(case)
    }
    return any(item not in spared for case in cases for item in enumerate(case))


def _judge_case(meaning: ProfileMeaning, name: str, known: dict[int, int]) -> ArgumentVerdict:
    """Decide for one value of each recorded argument and any value of the others."""
    rest = know_arguments(meaning, name, known)
    if rest.always_executes(name):
        return ArgumentVerdict.EXECUTED
    return ArgumentVerdict.UNDECIDED if rest.may_execute(name) else ArgumentVerdict.DENIED
