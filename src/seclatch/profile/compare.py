"""Compare resolved profiles by what they mean, not by how they are written."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from seclatch.model.action import Action
from seclatch.model.arch import Arch
from seclatch.model.profile import Profile
from seclatch.model.syscall import table
from seclatch.profile.meaning import Meaning, complete, overlaps, points, read

SCHEMA = "seclatch.profile-diff/1"
"""The version of `report`'s shape; its schema is data/schemas/profile-diff-1.json."""

Values = tuple[int, ...]


class Effect(enum.Enum):
    """What happens to a call, over all the arguments at which the two differ."""

    ALLOWED = "newly allowed"
    DENIED = "newly denied"
    MIXED = "allowed for some arguments, denied for others"
    ACTION = "another action"
    UNDECIDED = "written differently, in too many combinations to compare"


@dataclass(frozen=True, slots=True)
class Change:
    """One call that gets another verdict, on these ABIs. `name` "*": every call without a rule.

    `before` and `after` list the clauses that decide; `example` are arguments at which they
    differ, () where no argument matters.
    """

    name: str
    arches: tuple[Arch, ...]
    effect: Effect
    before: tuple[str, ...]
    after: tuple[str, ...]
    example: Values = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """Everything that differs. `opened` and `closed` are ABIs that only one of the two serves."""

    opened: tuple[Arch, ...]
    closed: tuple[Arch, ...]
    changes: tuple[Change, ...]

    def __bool__(self) -> bool:
        return bool(self.opened or self.closed or self.changes)


def diff(before: Profile, after: Profile, native: Arch) -> Difference:
    """Compare two resolved profiles on a host of architecture `native`."""
    old, new = read(before, native), read(after, native)
    common = tuple(arch for arch in old.arches if arch in new.arches)
    return Difference(
        opened=tuple(arch for arch in new.arches if arch not in old.arches),
        closed=tuple(arch for arch in old.arches if arch not in new.arches),
        changes=tuple(_changes(old, new, common)),
    )


def _changes(old: Meaning, new: Meaning, arches: tuple[Arch, ...]) -> Iterator[Change]:
    if old.default != new.default:
        effect = _effect([(old.default, new.default)])
        yield Change("*", arches, effect, (str(old.default),), (str(new.default),))
    for name in sorted({*old.calls, *new.calls}):
        where = tuple(arch for arch in arches if table(arch).has(name))
        change = _change(name, old, new, where) if where else None
        if change:
            yield change


def _change(name: str, old: Meaning, new: Meaning, arches: tuple[Arch, ...]) -> Change | None:
    if _as_written(old, name) == _as_written(new, name):
        return None
    undecided = Change(name, arches, Effect.UNDECIDED, _describe(old, name), _describe(new, name))
    if _overlap(old, name) or _overlap(new, name):
        return undecided
    clauses = [*old.clauses(name), *new.clauses(name)]
    verdicts = {
        values: (old.verdict(name, values), new.verdict(name, values)) for values in points(clauses)
    }
    differing = {values: pair for values, pair in verdicts.items() if pair[0] != pair[1]}
    if not differing:
        return None if complete(clauses) else undecided
    conditional = old.unconditional(name) is None or new.unconditional(name) is None
    return Change(
        name,
        arches,
        _effect(list(differing.values())),
        _describe(old, name),
        _describe(new, name),
        _telling(differing) if conditional else (),
    )


def _as_written(meaning: Meaning, name: str) -> object:
    """Equal for equal clauses, which need no comparing point by point: in any order if none of
    them overlap, else in the same."""
    clauses = [(clause.args, clause.action) for clause in meaning.clauses(name)]
    return meaning.default, tuple(clauses) if _overlap(meaning, name) else frozenset(clauses)


def _overlap(meaning: Meaning, name: str) -> bool:
    """Whether libseccomp chooses between conditions: no reading of the rules tells which."""
    return next(overlaps(meaning.clauses(name)), None) is not None


def _telling(differing: dict[Values, tuple[Action, Action]]) -> Values:
    """Arguments at which the call is made by one profile only, if there are any."""
    for values, (old, new) in differing.items():
        if old.kind.executes != new.kind.executes:
            return values
    return next(iter(differing))


def _effect(pairs: list[tuple[Action, Action]]) -> Effect:
    gained = any(new.kind.executes and not old.kind.executes for old, new in pairs)
    lost = any(old.kind.executes and not new.kind.executes for old, new in pairs)
    if gained and lost:
        return Effect.MIXED
    return Effect.ALLOWED if gained else Effect.DENIED if lost else Effect.ACTION


def _describe(meaning: Meaning, name: str) -> tuple[str, ...]:
    clauses = meaning.clauses(name)
    whole = bool(clauses) and not clauses[0].args
    rest = () if whole else (f"{meaning.default} {'else' if clauses else '(default)'}",)
    return (*map(str, clauses), *rest)


def report(before: str, after: str, difference: Difference) -> dict[str, Any]:
    """The difference for machines."""
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
