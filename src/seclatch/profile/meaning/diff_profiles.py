"""Compare resolved profiles by what they mean, not by how they are written."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from seclatch.errors import SeclatchError
from seclatch.filter.call_table import list_unnamed_numbers
from seclatch.filter.diff_filters import diff_filters
from seclatch.filter.symbolic.budget import BranchBudget
from seclatch.filter.symbolic.term import TooComplexError
from seclatch.model.action import Action
from seclatch.model.arch import X32_BIT, Arch
from seclatch.model.profile.profile import Profile
from seclatch.model.syscall import load_syscalls
from seclatch.profile.compile.compile_profile import UnendingError
from seclatch.profile.meaning.clause import Clause
from seclatch.profile.meaning.compared_side import ComparedSide, is_ambiguous, make_side
from seclatch.profile.meaning.equivalence import (
    MAX_COMPARISONS,
    CallVerdicts,
    Pair,
    Values,
    find_differences,
    try_differences,
)
from seclatch.profile.meaning.sample_values import TooManyError

SCHEMA = "seclatch.profile-diff/1"
"""The version of `report`'s shape; its schema is data/schemas/profile-diff-1.json."""

MAX_STEPS = 150_000
"""Branches to follow in the filters of all calls between whose conditions libseccomp chooses."""

MAX_INSTRUCTIONS = 500_000
"""Instructions of those filters to follow for all calls together."""


class CallEffect(enum.Enum):
    """What happens to a call, over all the arguments at which the two differ."""

    ALLOWED = "newly allowed"
    DENIED = "newly denied"
    MIXED = "allowed for some arguments, denied for others"
    ACTION = "another action"
    UNDECIDED = "written differently, in more ways than can be looked at"


@dataclass(frozen=True, slots=True)
class CallChange:
    """One call that gets another verdict, on these ABIs.

    `name` "*": every call without a rule; "#300 to #310": those of them with such numbers. `before`
    and `after` list the clauses that decide; `example` are arguments at which they differ, () where
    no argument matters.
    """

    name: str
    arches: tuple[Arch, ...]
    effect: CallEffect
    before: tuple[str, ...]
    after: tuple[str, ...]
    example: Values = ()


@dataclass(frozen=True, slots=True)
class ProfileDifference:
    """Everything that differs. `opened` and `closed` are ABIs that only one of the two serves."""

    opened: tuple[Arch, ...]
    closed: tuple[Arch, ...]
    changes: tuple[CallChange, ...]

    def __bool__(self) -> bool:
        return bool(self.opened or self.closed or self.changes)


def compare_profiles(before: Profile, after: Profile, native: Arch) -> ProfileDifference:
    """Compare what the rules of two resolved profiles say, on a host of architecture `native`."""
    return diff_sides(make_side(before, native), make_side(after, native))


def diff_sides(old: ComparedSide, new: ComparedSide) -> ProfileDifference:
    """Compare two profiles with what their runtimes add, or BPF programs."""
    before, after = old.meaning.arches, new.meaning.arches
    common = tuple(arch for arch in before if arch in after)
    return ProfileDifference(
        opened=tuple(arch for arch in after if arch not in before),
        closed=tuple(arch for arch in before if arch not in after),
        changes=tuple(_Comparison(old, new, common).changes()),
    )


class _Comparison:
    def __init__(self, old: ComparedSide, new: ComparedSide, arches: tuple[Arch, ...]) -> None:
        self.old, self.new, self.arches = old, new, arches
        self._budget, self._comparisons = BranchBudget(MAX_STEPS), BranchBudget(MAX_COMPARISONS)
        self._instructions = BranchBudget(MAX_INSTRUCTIONS)
        self._decided: dict[tuple[CallVerdicts, CallVerdicts, int], dict[Pair, Values]] = {}

    def changes(self) -> Iterator[CallChange]:
        yield from self._unruled()
        for name in sorted(self.old.calls | self.new.calls):
            yield from self._of_call(name)

    def _of_call(self, name: str) -> Iterator[CallChange]:
        """Return the changes of one call: one for all ABIs on which they are the same."""
        found: dict[CallChange, list[Arch]] = {}
        for arch in self.arches:
            change = self._on_arch(name, arch) if load_syscalls(arch).has(name) else None
            if change:
                found.setdefault(change, []).append(arch)
        for change, arches in found.items():
            yield replace(change, arches=tuple(arches))

    def _on_arch(self, name: str, arch: Arch) -> CallChange | None:
        number = load_syscalls(arch).numbers.get(name)
        defaults = self.old.default(arch, number), self.new.default(arch, number)
        clauses = self.old.on(arch).clauses(name), self.new.on(arch).clauses(name)
        beyond = self.old.beyond | self.new.beyond
        same = clauses[0] and defaults[0] == defaults[1] and _alike(*clauses, arch)
        if same and (arch.title, name) not in beyond:
            return None
        before = _describe(clauses[0], defaults[0], self.old)
        after = _describe(clauses[1], defaults[1], self.new)
        pairs = self._differences(name, arch)
        if pairs is None:
            example = self._example(name, arch)
            return CallChange(name, (), CallEffect.UNDECIDED, before, after, example)
        if not pairs:
            return None
        conditional = any(some and some[0].args for some in clauses)
        example = _telling(pairs) if conditional else ()
        return CallChange(name, (), _effect(pairs), before, after, example)

    def _differences(self, name: str, arch: Arch) -> dict[Pair, Values] | None:
        """None where it cannot be decided."""
        with suppress(TooComplexError, TooManyError):
            return self._by_rules(name, arch)
        try:
            self._budget.spend()
            sides = self.old, self.new
            old, new = (side.followed(name, arch, self._instructions) for side in sides)
            return diff_filters(old, new, arch, self._budget)
        except UnendingError:
            self._budget.left = 0  # ten seconds each time: this one was enough
            return None
        except (SeclatchError, TooComplexError):
            return None

    def _by_rules(self, name: str, arch: Arch) -> dict[Pair, Values]:
        """Compare by rules. Raises TooManyError where rules do not say all, or in too many ways."""
        old, new = self.old.verdicts(name, arch), self.new.verdicts(name, arch)
        if old is None or new is None:
            raise TooManyError("libseccomp chooses, or a program does what no rule says")
        key = old, new, arch.bits
        if key not in self._decided:
            self._decided[key] = find_differences(*key, self._comparisons)
        return self._decided[key]

    def _example(self, name: str, arch: Arch) -> Values:
        """Arguments at which a call differs that could not be compared; () if none are known."""
        old, new = self.old.verdicts(name, arch), self.new.verdicts(name, arch)
        found = try_differences(old, new, arch.bits) if old and new else {}
        return _telling(found) if found else ()

    def _unruled(self) -> Iterator[CallChange]:
        """Compare calls without a rule in either: defaults, and what a runtime adds."""
        plain = self.old.meaning.default, self.new.meaning.default
        found: dict[tuple[Pair, str], list[Arch]] = {}
        for arch in self.arches:
            spans: dict[Pair, list[int]] = {}
            for first, last in self._without_rule(arch):
                pair = self.old.default(arch, first), self.new.default(arch, first)
                if pair[0] != pair[1]:
                    spans.setdefault(pair, []).extend((first, last))
            for pair, numbers in spans.items():
                span = "*" if pair == plain else _span(numbers)
                found.setdefault((pair, span), []).append(arch)
        for (pair, span), arches in sorted(found.items(), key=lambda item: item[0][1] != "*"):
            before, after = _describe([], pair[0], self.old), _describe([], pair[1], self.new)
            yield CallChange(span, tuple(arches), _effect([pair]), before, after)

    def _without_rule(self, arch: Arch) -> list[tuple[int, int]]:
        """Ranges of numbers; -1 is no call, and others go their own way there."""
        ruled = self.old.calls | self.new.calls
        named = [
            (number, number)
            for number, name in load_syscalls(arch).names.items()
            if name not in ruled
        ]
        return sorted([*named, *(one for one in list_unnamed_numbers(arch) if one[0] < 1 << 31)])


def _span(numbers: list[int]) -> str:
    first, last = min(numbers), max(numbers)
    if last >= X32_BIT - 1:
        return f"#{first} and above"
    return f"#{first} to #{last}" if last > first else f"#{first}"


def _alike(one: Sequence[Clause], other: Sequence[Clause], arch: Arch) -> bool:
    """Are they the same clauses? In any order if no two with different actions can meet."""
    old, new = ([(clause.args, clause.action) for clause in some] for some in (one, other))
    return old == new or (set(old) == set(new) and not is_ambiguous(tuple(one), arch))


def _telling(pairs: dict[Pair, Values]) -> Values:
    """Arguments at which the call is made by one profile only, if there are any."""
    for (old, new), values in pairs.items():
        if old.kind.executes != new.kind.executes:
            return values
    return next(iter(pairs.values()))


def _effect(pairs: Iterable[Pair]) -> CallEffect:
    gained = any(new.kind.executes and not old.kind.executes for old, new in pairs)
    lost = any(old.kind.executes and not new.kind.executes for old, new in pairs)
    if gained and lost:
        return CallEffect.MIXED
    return CallEffect.ALLOWED if gained else CallEffect.DENIED if lost else CallEffect.ACTION


def _describe(clauses: Sequence[Clause], default: Action, whose: ComparedSide) -> tuple[str, ...]:
    if clauses and not clauses[0].args:
        return tuple(map(str, clauses))
    own = default == whose.meaning.default
    rest = "else" if clauses else "(default)" if own else "(runc's stub)"
    return (*map(str, clauses), f"{default} {rest}")


def report_difference(before: str, after: str, difference: ProfileDifference) -> dict[str, Any]:
    """Return the difference for machines."""
    return {
        "schema": SCHEMA,
        "before": before,
        "after": after,
        "opened": [arch.scmp for arch in difference.opened],
        "closed": [arch.scmp for arch in difference.closed],
        "changes": [
            {
                "syscall": change.name,
                "architectures": [arch.scmp for arch in change.arches],
                "effect": change.effect.name.lower(),
                "before": list(change.before),
                "after": list(change.after),
                "example": list(change.example),
            }
            for change in difference.changes
        ],
    }
