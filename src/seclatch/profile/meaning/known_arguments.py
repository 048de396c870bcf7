"""What a profile says of a call when the values of some arguments are known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from seclatch.model.profile.profile import Arg
from seclatch.profile.meaning import rule_comparison
from seclatch.profile.meaning.clause import Clause
from seclatch.profile.meaning.rule_meaning import ProfileMeaning


def know_arguments(meaning: ProfileMeaning, name: str, known: Mapping[int, int]) -> ProfileMeaning:
    """Return what remains of the rules for one call; the other arguments have any value."""
    left = list(_clauses_left(meaning, name, known))
    return ProfileMeaning(meaning.default, meaning.arches, {name: left}, bits=meaning.bits)


def _clauses_left(meaning: ProfileMeaning, name: str, known: Mapping[int, int]) -> Iterator[Clause]:
    """Drop comparisons that hold for the known values, and clauses with one that does not."""

    def holds(arg: Arg) -> bool:
        return rule_comparison.matches_value(
            rule_comparison.fit_width(arg, meaning.bits), known[arg.index]
        )

    for clause in meaning.clauses(name):
        if all(holds(arg) for arg in clause.args if arg.index in known):
            args = tuple(arg for arg in clause.args if arg.index not in known)
            yield Clause(args, clause.action, clause.rule)
