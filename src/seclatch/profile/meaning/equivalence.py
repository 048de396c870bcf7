"""Do two lists of clauses give the same verdict for every argument? Decided, not sampled.

Argument by argument: of all values of one only those are looked at that tell the comparisons apart
(`samples`), and what then remains of both lists is looked at once, however it was come by.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

from seclatch.filter.symbolic.budget import BranchBudget
from seclatch.model.action import Action
from seclatch.model.profile.profile import Arg
from seclatch.model.seccomp_data import MAX_ARGS
from seclatch.profile.meaning import rule_comparison
from seclatch.profile.meaning.clause import Clause, list_edge_points
from seclatch.profile.meaning.sample_values import TooManyError, list_samples

MAX_STATES = 20_000
"""Pairs of remaining lists to look at for one call."""

MAX_COMPARISONS = 3_000_000
"""Comparisons to make, for all calls of two profiles together."""

MAX_TRIED = 512
"""Sets of arguments to try for one call."""

Values = tuple[int, ...]
Pair = tuple[Action, Action]


class _Left(NamedTuple):
    """A clause less the comparisons that are known to hold."""

    args: tuple[Arg, ...]
    action: Action


_List = tuple[_Left, ...]
"""Ends with a clause without comparisons: the first match decides."""


class CallVerdicts(NamedTuple):
    """What a call gets: by the first clause that matches, or the default."""

    clauses: tuple[Clause, ...]
    default: Action

    def verdict(self, values: Values, bits: int) -> Action:
        """Return what a call with these arguments, so many bits wide, gets."""
        for clause in self.clauses:
            if all(
                rule_comparison.matches_value(
                    rule_comparison.fit_width(arg, bits), values[arg.index]
                )
                for arg in clause.args
            ):
                return clause.action
        return self.default


def find_differences(
    old: CallVerdicts, new: CallVerdicts, bits: int, budget: BranchBudget | None = None
) -> dict[Pair, Values]:
    """Each pair of different verdicts that a call can get, with six arguments for which it does.

    `bits`: how wide the ABI's arguments are; `budget`: of comparisons to make, for many calls
    together. Raises TooManyError, and TooComplexError when the budget is spent.
    """
    walk = _Walk(bits, budget or BranchBudget(MAX_COMPARISONS))
    found = walk.go(_fitted(old, bits), _fitted(new, bits))
    return {pair: tuple(some.get(n, 0) for n in range(MAX_ARGS)) for pair, some in found.items()}


def try_differences(old: CallVerdicts, new: CallVerdicts, bits: int) -> dict[Pair, Values]:
    """Differences found at the edges of the comparisons: where not all can be looked at."""
    last = (1 << bits) - 1
    found: dict[Pair, Values] = {}
    for values in itertools.islice(list_edge_points((*old.clauses, *new.clauses)), MAX_TRIED):
        cut = tuple(value & last for value in values)
        pair = old.verdict(cut, bits), new.verdict(cut, bits)
        if pair[0] != pair[1]:
            found.setdefault(pair, cut)
    return found


def list_outcomes(verdicts: CallVerdicts, bits: int) -> set[Action]:
    """Every verdict that a call can get."""
    never = Action(verdicts.default.kind, verdicts.default.data ^ 0x8000)  # unlike any of them
    return {pair[0] for pair in find_differences(verdicts, CallVerdicts((), never), bits)}


def _fitted(verdicts: CallVerdicts, bits: int) -> _List:
    """In the form that libseccomp compares: cut to the width, without what always holds."""
    fitted = []
    for clause in verdicts.clauses:
        args = [rule_comparison.fit_width(arg, bits) for arg in clause.args]
        if not any(rule_comparison.matches_nothing(arg, bits) for arg in args):
            fitted.append(
                _Left(
                    tuple(arg for arg in args if not rule_comparison.matches_everything(arg, bits)),
                    clause.action,
                )
            )
    return _shorten([*fitted, _Left((), verdicts.default)])


def _shorten(clauses: Sequence[_Left]) -> _List:
    """Drop clauses that change nothing: behind one that always matches, or equal to it."""
    end = next(index for index, clause in enumerate(clauses) if not clause.args)
    last = clauses[end]
    while end and clauses[end - 1].action == last.action:
        end -= 1
    return (*clauses[:end], last)


class _Walk:
    def __init__(self, bits: int, budget: BranchBudget) -> None:
        self._bits = bits
        self._budget = budget
        self._done: dict[tuple[_List, _List], dict[Pair, dict[int, int]]] = {}

    def go(self, old: _List, new: _List) -> dict[Pair, dict[int, int]]:
        """Pairs of different verdicts with the arguments that lead there, by index."""
        if old == new:
            return {}
        if not old[0].args and not new[0].args:
            return {} if old[0].action == new[0].action else {(old[0].action, new[0].action): {}}
        key = old, new
        if key not in self._done:
            if len(self._done) >= MAX_STATES:
                raise TooManyError("the conditions combine in too many ways")
            self._done[key] = {}  # counted; filled below, and nothing leads back here
            self._done[key] = self._split(old, new)
        return self._done[key]

    def _split(self, old: _List, new: _List) -> dict[Pair, dict[int, int]]:
        compared = [arg for clause in (*old, *new) for arg in clause.args]
        index = min(arg.index for arg in compared)
        here = frozenset(arg for arg in compared if arg.index == index)
        found: dict[Pair, dict[int, int]] = {}
        for value in list_samples(here, self._bits):
            self._budget.spend(len(compared))
            holding = frozenset(arg for arg in here if rule_comparison.matches_value(arg, value))
            below = self.go(_know(old, index, holding), _know(new, index, holding))
            for pair, values in below.items():
                found.setdefault(pair, {index: value, **values})
        return found


def _know(clauses: _List, index: int, holding: frozenset[Arg]) -> _List:
    """Return what remains when it is known which comparisons of an argument hold."""
    left = []
    for args, action in clauses:
        if all(arg.index != index or arg in holding for arg in args):
            rest = tuple(arg for arg in args if arg.index != index)
            left.append(_Left(rest, action))
            if not rest:
                break
    return _shorten(left)
