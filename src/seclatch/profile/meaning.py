"""What a resolved profile says of each system call, once the order of its rules is worked out.

libseccomp, and so every runtime, reads rules for one call like this (2.6, tested):

- a rule without conditions wins over every rule with some, whichever came first;
- of several without conditions the first counts;
- the same condition with another action is refused (EEXIST), and the container does not start;
- where conditions overlap and the actions differ, it is up to libseccomp which one decides.
"""

from __future__ import annotations

import enum
import itertools
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from seclatch.model.action import Action, Operator
from seclatch.model.arch import Arch
from seclatch.model.profile import Arg, Profile
from seclatch.profile import region

MAX_POINTS = 4096
MAX_TESTS = 500_000
"""How many argument combinations are looked at for one call at most, and how many times a clause
is held against one: a hostile profile could ask for billions."""


@dataclass(frozen=True, slots=True)
class Clause:
    """If all comparisons hold: the action. `rule` is the rule's index in the resolved profile."""

    args: tuple[Arg, ...]
    action: Action
    rule: int = -1

    def matches(self, values: Sequence[int]) -> bool:
        """Does it apply to a call with these six arguments?"""
        return all(region.matches(arg, values[arg.index]) for arg in self.args)

    def __str__(self) -> str:
        condition = " and ".join(map(str, self.args))
        return f"{self.action} if {condition}" if condition else str(self.action)


class Fate(enum.Enum):
    """Why a rule for a name has no effect."""

    REPEATED = "it says what an earlier rule says"
    OVERRULED = "an earlier rule without conditions decides"
    REPLACED = "a later rule without conditions replaces it"
    CONFLICT = "another rule has the same condition and another action"
    DEFAULT = "it says what the default action says"


@dataclass(frozen=True, slots=True)
class Idle:
    """Rule number `rule` does nothing for `name`, because of rule number `by` (-1: the default)."""

    rule: int
    name: str
    fate: Fate
    by: int = -1


@dataclass(slots=True)
class Meaning:
    """Name → the clauses for it (one without comparisons stands alone), and the default."""

    default: Action
    arches: tuple[Arch, ...]
    calls: dict[str, list[Clause]] = field(default_factory=dict)
    idle: list[Idle] = field(default_factory=list)

    def clauses(self, name: str) -> list[Clause]:
        """The clauses for a call; for one without rules none."""
        return self.calls.get(name, [])

    def verdict(self, name: str, values: Sequence[int]) -> Action:
        """What a call with these six arguments gets. The first match, where several overlap."""
        for clause in self.clauses(name):
            if clause.matches(values):
                return clause.action
        return self.default

    def unconditional(self, name: str) -> Action | None:
        """The one action that a call gets whatever its arguments; None if they matter."""
        clauses = self.clauses(name)
        if not clauses:
            return self.default
        return None if clauses[0].args else clauses[0].action

    def may_execute(self, name: str) -> bool:
        """Is the call made for some arguments?"""
        whole = self.unconditional(name)
        if whole is not None:
            return whole.kind.executes
        actions = [self.default, *(clause.action for clause in self.clauses(name))]
        return any(action.kind.executes for action in actions)

    def always_executes(self, name: str) -> bool:
        """Is the call made whatever its arguments?"""
        whole = self.unconditional(name)
        return whole is not None and whole.kind.executes


def alternatives(args: tuple[Arg, ...]) -> list[tuple[Arg, ...]]:
    """Conditions on different arguments must all hold; two on one argument make all of them
    alternatives (a compatibility rule of runc and crun)."""
    if any(count > 1 for count in Counter(arg.index for arg in args).values()):
        return [(arg,) for arg in args]
    return [args]


def read(profile: Profile, native: Arch, bits: int = 64) -> Meaning:
    """Work out a resolved profile on a host of architecture `native`.

    For ABIs with arguments of so many bits: a mask of higher ones compares nothing on the others,
    and a rule without conditions counts for more.
    """
    arches = tuple(dict.fromkeys((native, *profile.architectures)))
    meaning = Meaning(profile.default, arches)
    default = profile.default
    seen: dict[tuple[str, frozenset[Arg]], Clause] = {}
    for index, rule in enumerate(profile.rules):
        effect = rule.effect
        if effect == default:
            meaning.idle += [Idle(index, name, Fate.DEFAULT) for name in rule.names]
            continue
        for args in alternatives(rule.args):
            # An empty mask compares nothing, and libseccomp drops it.
            compared = tuple(arg for arg in args if not region.unmasked(region.fit(arg, bits)))
            clause = Clause(compared, effect, index)
            for name in rule.names:
                _add(meaning, name, clause, seen, bits)
    return meaning


def _add(
    meaning: Meaning,
    name: str,
    new: Clause,
    seen: dict[tuple[str, frozenset[Arg]], Clause],
    bits: int,
) -> None:
    """`seen` finds the earlier clause with the same condition."""
    clauses = meaning.calls.setdefault(name, [])
    if clauses and not clauses[0].args:
        same = clauses[0].action == new.action and not new.args
        fate = Fate.REPEATED if same else Fate.OVERRULED
        meaning.idle.append(Idle(new.rule, name, fate, clauses[0].rule))
    elif not new.args:
        replaced = dict.fromkeys(clause.rule for clause in clauses)
        meaning.idle += [Idle(rule, name, Fate.REPLACED, new.rule) for rule in replaced]
        clauses[:] = [new]
    else:
        fitted = frozenset(region.fit(arg, bits) for arg in new.args)
        twin = seen.setdefault((name, fitted), new)
        if twin is new:
            clauses.append(new)
        else:
            fate = Fate.REPEATED if twin.action == new.action else Fate.CONFLICT
            meaning.idle.append(Idle(new.rule, name, fate, twin.rule))


def overlaps(clauses: Sequence[Clause], bits: int = 64) -> Iterator[tuple[Clause, Clause]]:
    """Pairs with different actions that can both match one call: libseccomp picks one.

    `bits`: how wide the ABI's arguments are.
    """
    if len({clause.action for clause in clauses}) < 2:
        return
    fitted = [[region.fit(arg, bits) for arg in clause.args] for clause in clauses]
    for (one, left), (other, right) in itertools.combinations(zip(fitted, clauses, strict=True), 2):
        if left.action != right.action and not _apart(one, other, bits):
            yield left, right


def _apart(one: Sequence[Arg], other: Sequence[Arg], bits: int) -> bool:
    """Can no call match both?"""
    return any(region.impossible(arg, bits) for arg in (*one, *other)) or any(
        left.index == right.index and not region.meet(left, right, bits)
        for left, right in itertools.product(one, other)
    )


def fragile(clauses: Sequence[Clause]) -> bool:
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


def points(clauses: Sequence[Clause]) -> Iterator[tuple[int, ...]]:
    """Argument combinations on both sides of each edge of the clauses' conditions.

    At most `limit(clauses)` of them; `complete` tells whether that is all. Where masks and ranges
    meet in one argument, verdicts could still differ between the edges.
    """
    return itertools.islice(itertools.product(*_axes(clauses)), limit(clauses))


def complete(clauses: Sequence[Clause]) -> bool:
    """Does `points` give every combination that matters?

    Not where a mask meets another comparison of the same argument: between the edges of both
    there are values that only one of them takes.
    """
    compared: dict[int, set[Arg]] = {}
    for clause in clauses:
        for arg in clause.args:
            compared.setdefault(arg.index, set()).add(arg)
    for args in compared.values():
        if len(args) > 1 and any(arg.operator is Operator.MASKED_EQ for arg in args):
            return False
    return math.prod(map(len, _axes(clauses))) <= limit(clauses)


def limit(clauses: Sequence[Clause]) -> int:
    """How many combinations are looked at: fewer where each takes longer."""
    return min(MAX_POINTS, max(64, MAX_TESTS // max(1, len(clauses))))


def _axes(clauses: Sequence[Clause]) -> list[list[int]]:
    axes: list[set[int]] = [{0, region.MAX} for _ in range(6)]
    compared = {arg.index for clause in clauses for arg in clause.args}
    for clause in clauses:
        for arg in clause.args:
            axes[arg.index] |= region.samples(arg)
    return [sorted(axis) if index in compared else [0] for index, axis in enumerate(axes)]
