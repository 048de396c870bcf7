"""Merge and intersect resolved profiles, call by call and argument by argument.

`merge` gives every call the more permissive of the two verdicts, `intersect` the stricter, in the
kernel's own order of actions: an intersection answers as the two filters stacked would.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from seclatch.errors import SeclatchError
from seclatch.model.action import Action
from seclatch.model.arch import Arch
from seclatch.model.profile import Arg, Profile, Rule
from seclatch.profile import region
from seclatch.profile.meaning import Clause, Meaning, overlaps, read

MAX_CLAUSES = 1024
"""Combinations of conditions for one call; beyond, it takes too long to find out what they say."""

Choice = Callable[[Action, Action], Action]


@dataclass(frozen=True, slots=True)
class Combined:
    """The profile, and one sentence for each thing that it says only nearly."""

    profile: Profile
    warnings: tuple[str, ...] = ()


def merge(left: Profile, right: Profile, native: Arch) -> Combined:
    """The union: what either allows."""
    one, other = read(left, native), read(right, native)
    arches = tuple(dict.fromkeys((*one.arches, *other.arches)))
    warnings = [
        f"{arch.scmp} is served by one of the profiles only; merged, the rules of both hold there"
        for arch in arches
        if arch not in one.arches or arch not in other.arches
    ]
    return _finish(left, right, _rules(one, other, _more_permissive, warnings), arches, warnings)


def intersect(left: Profile, right: Profile, native: Arch) -> Combined:
    """What both allow."""
    one, other = read(left, native), read(right, native)
    arches = tuple(arch for arch in one.arches if arch in other.arches)
    warnings: list[str] = []
    return _finish(left, right, _rules(one, other, _stricter, warnings), arches, warnings)


def _more_permissive(left: Action, right: Action) -> Action:
    return max(left, right, key=_permissiveness)


def _stricter(left: Action, right: Action) -> Action:
    return min(left, right, key=_permissiveness)


def _permissiveness(action: Action) -> tuple[int, int]:
    # Among equal kinds the data decides, so that the order of the files does not.
    return action.kind.precedence, -action.data


def _finish(
    left: Profile,
    right: Profile,
    combined: tuple[Action, tuple[Rule, ...]],
    arches: tuple[Arch, ...],
    warnings: list[str],
) -> Combined:
    default, rules = combined
    same_listener = left.listener_path == right.listener_path
    if left.flags != right.flags:
        warnings.append("the flags differ and are left out: the runtime chooses")
    if not same_listener:
        warnings.append("the listener paths differ and are left out")
    profile = Profile(
        default_action=default.kind.scmp,
        default_errno=default.data if default.kind.takes_data else None,
        rules=rules,
        architectures=arches,
        flags=left.flags if left.flags == right.flags else None,
        listener_path=left.listener_path if same_listener else "",
    )
    return Combined(profile, tuple(warnings))


def _rules(
    one: Meaning, other: Meaning, choose: Choice, warnings: list[str]
) -> tuple[Action, tuple[Rule, ...]]:
    """The default action, and rules that name together the calls with the same clauses."""
    default = choose(one.default, other.default)
    grouped: dict[tuple[Clause, ...], list[str]] = {}
    for name in sorted({*one.calls, *other.calls}):
        try:
            _refuse_overlaps(one, other, name)
            clauses = _product(_total(one, name), _total(other, name), choose)
            settled = _settle_nearly(name, clauses, default, warnings)
        except ValueError as error:
            raise SeclatchError(
                f"combining the rules for {name}: {error}",
                remedy="change one of the two rules so that one comparison can say it",
                status=2,
            ) from error
        grouped.setdefault(tuple(settled), []).append(name)
    return default, tuple(
        _rule(tuple(names), clause) for clauses, names in grouped.items() for clause in clauses
    )


def _refuse_overlaps(one: Meaning, other: Meaning, name: str) -> None:
    """Which of two overlapping conditions decides is libseccomp's to choose, not the first's."""
    for meaning in (one, other):
        for left, right in overlaps(meaning.clauses(name)):
            raise ValueError(f"`{left}` and `{right}` overlap, and libseccomp chooses between them")


def _settle_nearly(
    name: str, clauses: list[Clause], default: Action, warnings: list[str]
) -> list[Clause]:
    """If the exact verdicts cannot be said, let a refusal have the default's errno."""
    try:
        return _settle(clauses, default)
    except ValueError:
        nearly = [
            replace(clause, action=default) if clause.action.kind is default.kind else clause
            for clause in clauses
        ]
        settled = _settle(nearly, default)
        warnings.append(f"{name}: where it is refused it gets the default, {default}")
        return settled


def _rule(names: tuple[str, ...], clause: Clause) -> Rule:
    action = clause.action
    errno = action.data if action.kind.takes_data else None
    return Rule(names, action.kind.scmp, errno, clause.args)


def _total(meaning: Meaning, name: str) -> list[Clause]:
    """The clauses for a call with the default at the end: one matches whatever the arguments."""
    clauses = meaning.clauses(name)
    whole = bool(clauses) and not clauses[-1].args
    return [*clauses, *(() if whole else (Clause((), meaning.default),))]


def _product(left: Sequence[Clause], right: Sequence[Clause], choose: Choice) -> list[Clause]:
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
            both = region.conjoin(by_index[arg.index], arg)
            if both is None:
                return None
            by_index[arg.index] = both
        else:
            by_index[arg.index] = arg
    if any(map(region.impossible, by_index.values())):
        return None
    kept = (arg for _, arg in sorted(by_index.items()) if not region.certain(arg))
    return tuple(kept)


def _settle(clauses: Sequence[Clause], default: Action) -> list[Clause]:
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
    kept: list[tuple[set[Arg], Clause]] = []
    for clause in sorted(dict.fromkeys(clauses), key=lambda clause: len(clause.args)):
        args = set(clause.args)
        if not any(clause.action == old.action and args >= some for some, old in kept):
            kept.append((args, clause))
    return [clause for _, clause in kept]


def _subtract(piece: tuple[Arg, ...], hole: tuple[Arg, ...]) -> Iterator[tuple[Arg, ...]]:
    """Where the condition `piece` holds and `hole` does not, in parts that do not overlap."""
    rest: tuple[Arg, ...] | None = piece
    if _conjoin(piece, hole) is None:
        yield piece
        return
    for arg in hole:
        if rest is None:
            return
        outside = _conjoin(rest, (region.negate(arg),))
        if outside is not None:
            yield outside
        rest = _conjoin(rest, (arg,))
