"""Lists of clauses: multiplied with each other, and made so that their order means nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from seclatch.model.action import Action
from seclatch.model.profile.profile import Arg
from seclatch.profile.meaning import rule_comparison
from seclatch.profile.meaning.clause import Clause

MAX_CLAUSES = 1024
"""Combinations of conditions for one call; beyond, it takes too long to find out what they say."""

Choice = Callable[[Action, Action], Action]
"""Which of two verdicts counts."""


def multiply_clauses(
    left: Sequence[Clause], right: Sequence[Clause], choose: Choice
) -> list[Clause]:
    """Both lists read at once: first match in each is first match in the product's order."""
    if len(left) * len(right) > MAX_CLAUSES:
        raise ValueError(f"{len(left)} times {len(right)} conditions are too many")
    found = []
    for one in left:
        for other in right:
            args = _conjoin(one.args, other.args)
            if args is not None:
                found.append(Clause(args, choose(one.action, other.action)))
    return found


def _conjoin(left: tuple[Arg, ...], right: tuple[Arg, ...]) -> tuple[Arg, ...] | None:
    """Both conditions at once, one comparison for each argument; None if they never hold."""
    by_index = {arg.index: arg for arg in left}
    for arg in right:
        if arg.index in by_index:
            both = rule_comparison.conjoin_comparisons(by_index[arg.index], arg)
            if both is None:
                return None
            by_index[arg.index] = both
        else:
            by_index[arg.index] = arg
    if any(map(rule_comparison.matches_nothing, by_index.values())):
        return None
    kept = (
        arg for _, arg in sorted(by_index.items()) if not rule_comparison.matches_everything(arg)
    )
    return tuple(kept)


def settle_order(clauses: Sequence[Clause], default: Action) -> list[Clause]:
    """Make a first-match list independent of its order, as libseccomp reads rules.

    Of every clause the part is kept that no earlier clause of another action decides; what then
    says the default is dropped, and what another clause covers too.
    """
    settled: list[Clause] = []
    for index, clause in enumerate(clauses):
        if clause.action == default:
            continue
        pieces = [clause.args]
        for before, earlier in enumerate(clauses[:index]):
            if earlier.action != clause.action and not _decided(clauses[:before], clause, earlier):
                pieces = [part for piece in pieces for part in _subtract(piece, earlier.args)]
        if len(pieces) + len(settled) > MAX_CLAUSES:
            raise ValueError("made disjoint, the conditions are too many")
        settled += [Clause(piece, clause.action) for piece in pieces]
    return _needed(settled)


def _decided(first: Sequence[Clause], clause: Clause, earlier: Clause) -> bool:
    """Where `clause` and `earlier` meet, does one of `first` decide as `clause` does?"""
    both = _conjoin(clause.args, earlier.args)
    if both is None:
        return True
    meeting = set(both)
    return any(each.action == clause.action and meeting.issuperset(each.args) for each in first)


def _needed(clauses: Sequence[Clause]) -> list[Clause]:
    """Leave out clauses that another one of the same action implies."""
    kept: list[Clause] = []
    for clause in sorted(dict.fromkeys(clauses), key=lambda clause: len(clause.args)):
        if not any(_implies(clause, other) for other in kept):
            kept = [other for other in kept if not _implies(other, clause)]
            kept.append(clause)
    return kept


def _implies(clause: Clause, other: Clause) -> bool:
    """Return whether `other` says the same wherever `clause` matches."""
    return clause.action == other.action and all(
        any(arg.index == each.index and rule_comparison.is_within(arg, each) for arg in clause.args)
        for each in other.args
    )


def _subtract(piece: tuple[Arg, ...], hole: tuple[Arg, ...]) -> Iterator[tuple[Arg, ...]]:
    """Where the condition `piece` holds and `hole` does not, in parts that do not overlap."""
    rest: tuple[Arg, ...] | None = piece
    if _conjoin(piece, hole) is None:
        yield piece
        return
    for arg in hole:
        if rest is None:
            return
        outside = _conjoin(rest, (rule_comparison.negate_comparison(arg),))
        if outside is not None:
            yield outside
        rest = _conjoin(rest, (arg,))
