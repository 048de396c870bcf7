"""What a resolved profile says of each system call, once the order of its rules is worked out.

libseccomp, and so every runtime, reads rules for one call like this (2.6, tested):

- a rule without conditions wins over every rule with some, whichever came first;
- of several without conditions the first counts;
- the same condition with another action is refused (EEXIST), and the container does not start;
- where conditions overlap and the actions differ, it is up to libseccomp which one decides, and
  whether it refuses them too; also if a later rule without conditions would have replaced both.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field

from seclatch.model.action import Action
from seclatch.model.arch import Arch
from seclatch.model.profile.profile import Arg, Profile, list_alternatives
from seclatch.profile.meaning import rule_comparison
from seclatch.profile.meaning.clause import Clause, cover_all


class IdleReason(enum.Enum):
    """Why a rule for a name has no effect."""

    REPEATED = "it says what an earlier rule says"
    OVERRULED = "an earlier rule without conditions decides"
    REPLACED = "a later rule without conditions replaces it"
    CONFLICT = "another rule has the same condition and another action"
    DEFAULT = "it says what the default action says"


@dataclass(frozen=True, slots=True)
class IdleRule:
    """Rule number `rule` does nothing for `name`, because of rule number `by` (-1: the default)."""

    rule: int
    name: str
    fate: IdleReason
    by: int = -1


@dataclass(slots=True)
class ProfileMeaning:
    """Name → the clauses for it (one without comparisons stands alone), and the default.

    `bits`: how wide the arguments are.
    """

    default: Action
    arches: tuple[Arch, ...]
    calls: dict[str, list[Clause]] = field(default_factory=dict)
    idle: list[IdleRule] = field(default_factory=list)
    bits: int = 64
    _outcomes: dict[str, set[Action]] = field(default_factory=dict, repr=False)

    def clauses(self, name: str) -> list[Clause]:
        """Return the clauses for a call; for one without rules none."""
        return self.calls.get(name, [])

    def verdict(self, name: str, values: Sequence[int]) -> Action:
        """Return what a call with these six arguments gets: the first match counts."""
        for clause in self.clauses(name):
            if clause.matches(values):
                return clause.action
        return self.default

    def unconditional(self, name: str) -> Action | None:
        """Return the action that a call gets whatever its arguments; None if those count."""
        clauses = self.clauses(name)
        if not clauses:
            return self.default
        return None if clauses[0].args else clauses[0].action

    def outcomes(self, name: str) -> set[Action]:
        """Return every action that a call can get.

        Which of overlapping conditions counts is libseccomp's to choose, so each may.
        """
        if name not in self._outcomes:
            clauses = self.clauses(name)
            some = {clause.action for clause in clauses if clause.possible(self.bits)}
            left = set() if cover_all(clauses, self.bits) else {self.default}
            self._outcomes[name] = some | left
        return self._outcomes[name]

    def may_execute(self, name: str) -> bool:
        """Is the call made for some arguments?"""
        return any(action.kind.executes for action in self.outcomes(name))

    def always_executes(self, name: str) -> bool:
        """Is the call made whatever its arguments?"""
        return all(action.kind.executes for action in self.outcomes(name))


def read_meaning(profile: Profile, native: Arch, bits: int = 64) -> ProfileMeaning:
    """Work out a resolved profile on a host of architecture `native`.

    For ABIs with arguments of so many bits: a mask of higher ones compares nothing on the others,
    and a rule without conditions counts for more.
    """
    arches = tuple(dict.fromkeys((native, *profile.architectures)))
    meaning = ProfileMeaning(profile.default, arches, bits=bits)
    default = profile.default
    seen: dict[tuple[str, frozenset[Arg]], Clause] = {}
    for index, rule in enumerate(profile.rules):
        effect = rule.effect
        if effect == default:
            meaning.idle += [IdleRule(index, name, IdleReason.DEFAULT) for name in rule.names]
            continue
        for args in list_alternatives(rule.args):
            # An empty mask compares nothing, and libseccomp drops it.
            compared = tuple(
                arg
                for arg in args
                if not rule_comparison.has_empty_mask(rule_comparison.fit_width(arg, bits))
            )
            clause = Clause(compared, effect, index)
            for name in rule.names:
                _add(meaning, name, clause, seen, bits)
    return meaning


def _add(
    meaning: ProfileMeaning,
    name: str,
    new: Clause,
    seen: dict[tuple[str, frozenset[Arg]], Clause],
    bits: int,
) -> None:
    """`seen` finds the earlier clause with the same condition."""
    clauses = meaning.calls.setdefault(name, [])
    if clauses and not clauses[0].args:
        same = clauses[0].action == new.action and not new.args
        fate = IdleReason.REPEATED if same else IdleReason.OVERRULED
        meaning.idle.append(IdleRule(new.rule, name, fate, clauses[0].rule))
    elif not new.args:
        replaced = dict.fromkeys(clause.rule for clause in clauses)
        meaning.idle += [IdleRule(rule, name, IdleReason.REPLACED, new.rule) for rule in replaced]
        clauses[:] = [new]
    else:
        fitted = frozenset(rule_comparison.fit_width(arg, bits) for arg in new.args)
        twin = seen.setdefault((name, fitted), new)
        if twin is new:
            clauses.append(new)
        else:
            fate = IdleReason.REPEATED if twin.action == new.action else IdleReason.CONFLICT
            meaning.idle.append(IdleRule(new.rule, name, fate, twin.rule))
