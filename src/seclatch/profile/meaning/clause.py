"""Conditions of a call with an action each: which calls one holds for, and how several relate."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from seclatch.model.action import Action, Operator
from seclatch.model.profile.profile import Arg, format_comparisons
from seclatch.profile.meaning import rule_comparison
from seclatch.profile.meaning.sample_values import TooManyError, list_samples

MAX_POINTS = 4096
MAX_TESTS = 500_000
"""How many argument combinations are looked at for one call at most, and how many times a clause
is held against one: a hostile profile could ask for billions."""

MAX_COVERING = 64
MAX_STATES = 2000
"""Clauses of one call, and what remains of them for known arguments: beyond, it is not found out
whether they leave anything to the default action."""

_Conditions = frozenset[tuple[Arg, ...]]


@dataclass(frozen=True, slots=True)
class Clause:
    """If all comparisons hold: the action. `rule` is the rule's index in the resolved profile."""

    args: tuple[Arg, ...]
    action: Action
    rule: int = -1

    def matches(self, values: Sequence[int]) -> bool:
        """Return whether it applies to a call with these six arguments."""
        return all(rule_comparison.matches_value(arg, values[arg.index]) for arg in self.args)

    def possible(self, bits: int) -> bool:
        """Can each comparison hold, of arguments so many bits wide?"""
        return not any(
            rule_comparison.matches_nothing(rule_comparison.fit_width(arg, bits), bits)
            for arg in self.args
        )

    def __str__(self) -> str:
        condition = format_comparisons(self.args)
        return f"{self.action} if {condition}" if condition else str(self.action)


def cover_all(clauses: Sequence[Clause], bits: int = 64) -> bool:
    """Return whether the clauses match every call, whatever its arguments.

    Returns False where there are too many of them to find out.
    """
    if len(clauses) > MAX_COVERING:
        return False
    fitted = (
        tuple(rule_comparison.fit_width(arg, bits) for arg in clause.args) for clause in clauses
    )
    try:
        return _cover(frozenset(fitted), bits, {})
    except TooManyError:
        return False


def _cover(left: _Conditions, bits: int, done: dict[_Conditions, bool]) -> bool:
    """Argument by argument: each value that tells the comparisons apart, and what is then left."""
    if not left or () in left:
        return bool(left)
    if left not in done:
        if len(done) >= MAX_STATES:
            raise TooManyError("the conditions combine in too many ways")
        index = min(arg.index for args in left for arg in args)
        here = frozenset(arg for args in left for arg in args if arg.index == index)
        done[left] = False  # counted; decided below
        done[left] = all(
            _cover(_know(left, index, value), bits, done) for value in list_samples(here, bits)
        )
    return done[left]


def _know(left: _Conditions, index: int, value: int) -> _Conditions:
    """Return what remains of conditions when the value of an argument is known."""
    return frozenset(
        tuple(arg for arg in args if arg.index != index)
        for args in left
        if all(arg.index != index or rule_comparison.matches_value(arg, value) for arg in args)
    )


def list_overlaps(clauses: Sequence[Clause], bits: int = 64) -> Iterator[tuple[Clause, Clause]]:
    """Pairs with different actions that can both match one call: libseccomp picks one.

    `bits`: how wide the ABI's arguments are.
    """
    if len({clause.action for clause in clauses}) < 2:
        return
    fitted = [[rule_comparison.fit_width(arg, bits) for arg in clause.args] for clause in clauses]
    for (one, left), (other, right) in itertools.combinations(zip(fitted, clauses, strict=True), 2):
        if left.action != right.action and not _apart(one, other, bits):
            yield left, right


def _apart(one: Sequence[Arg], other: Sequence[Arg], bits: int) -> bool:
    """Can no call match both?"""
    return any(rule_comparison.matches_nothing(arg, bits) for arg in (*one, *other)) or any(
        left.index == right.index and not rule_comparison.can_both_hold(left, right, bits)
        for left, right in itertools.product(one, other)
    )


def is_fragile(clauses: Sequence[Clause]) -> bool:
    """Can libseccomp compile these wrongly, whatever the ABIs?

    It mixes up branches when it merges two 64-bit comparisons of one argument, before 2.6.1 more
    often (GHSA-4q85-33p6-j5g6). Equality in both is not affected; this test may name more than the
    affected cases. `deviation` tells what the libseccomp of this machine does.
    """
    exact = (Operator.EQ, Operator.MASKED_EQ)
    if all(arg.operator in exact for clause in clauses for arg in clause.args):
        return False
    for left, right in itertools.combinations(clauses, 2):
        for one, other in itertools.product(left.args, right.args):
            simple = one.operator in exact and other.operator in exact
            if one.index == other.index and not simple:
                return True
    return False


def list_edge_points(clauses: Sequence[Clause]) -> Iterator[tuple[int, ...]]:
    """Argument combinations on both sides of each edge of the clauses' conditions.

    At most `limit(clauses)` of them. Where masks and ranges meet in one argument, verdicts could
    still differ between the edges.
    """
    return itertools.islice(itertools.product(*_axes(clauses)), limit_combinations(clauses))


def limit_combinations(clauses: Sequence[Clause]) -> int:
    """How many combinations are looked at: fewer where each takes longer."""
    return min(MAX_POINTS, max(64, MAX_TESTS // max(1, len(clauses))))


def _axes(clauses: Sequence[Clause]) -> list[list[int]]:
    axes: list[set[int]] = [{0, rule_comparison.MAX} for _ in range(6)]
    compared = {arg.index for clause in clauses for arg in clause.args}
    for clause in clauses:
        for arg in clause.args:
            axes[arg.index] |= rule_comparison.list_edge_values(arg)
    return [sorted(axis) if index in compared else [0] for index, axis in enumerate(axes)]
