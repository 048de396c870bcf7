"""Merge and intersect resolved profiles, call by call and argument by argument.

`merge` gives every call the more permissive of the two verdicts, `intersect` the stricter, in the
kernel's own order of actions: an intersection answers as the two filters stacked would.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace

from seclatch.errors import SeclatchError
from seclatch.model.action import Action
from seclatch.model.arch import Arch
from seclatch.model.profile.profile import Arg, Profile, Rule
from seclatch.profile.meaning.clause import Clause
from seclatch.profile.meaning.clause_product import ClauseProduct
from seclatch.profile.meaning.compared_side import ComparedSide, make_side
from seclatch.profile.meaning.disjoint_clauses import Choice, multiply_clauses, settle_order
from seclatch.profile.meaning.rule_meaning import ProfileMeaning
from seclatch.system import libseccomp


@dataclass(frozen=True, slots=True)
class CombinedProfile:
    """The profile, and one sentence for each thing that it says only nearly."""

    profile: Profile
    warnings: tuple[str, ...] = ()


def merge_profiles(left: Profile, right: Profile, native: Arch) -> CombinedProfile:
    """Return the union: what either allows."""
    one, other = make_side(left, native), make_side(right, native)
    ours, theirs = one.meaning.arches, other.meaning.arches
    arches = tuple(dict.fromkeys((*ours, *theirs)))
    warnings = [
        f"{arch.scmp} is served by one of the profiles only; merged, the rules of both hold there"
        for arch in arches
        if arch not in ours or arch not in theirs
    ]
    product = _product_of(one, other, _more_permissive, arches)
    return _finish(left, right, _rules(product, warnings), arches, warnings)


def intersect_profiles(left: Profile, right: Profile, native: Arch) -> CombinedProfile:
    """Return the intersection: what both allow."""
    one, other = make_side(left, native), make_side(right, native)
    arches = tuple(arch for arch in one.meaning.arches if arch in other.meaning.arches)
    warnings: list[str] = []
    product = _product_of(one, other, _stricter, arches)
    return _finish(left, right, _rules(product, warnings), arches, warnings)


def _product_of(
    one: ComparedSide, other: ComparedSide, choose: Choice, arches: tuple[Arch, ...]
) -> ClauseProduct:
    default = choose(one.meaning.default, other.meaning.default)
    return ClauseProduct(one, other, choose, arches, default)


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
) -> CombinedProfile:
    default, rules = combined
    same = {
        name: getattr(left, name) == getattr(right, name)
        for name in ("flags", "listener_path", "listener_metadata")
    }
    if not same["flags"]:
        lost = sorted({*(left.flags or ()), *(right.flags or ())})
        what = f" ({', '.join(lost)})" if lost else ""
        warnings.append(f"the flags differ and are left out{what}: the runtime chooses")
    if not same["listener_path"]:
        paths = " and ".join(repr(each.listener_path or "none") for each in (left, right))
        warnings.append(f"listenerPath differs ({paths}) and is left out: NOTIFY has no listener")
    if not same["listener_metadata"]:
        warnings.append("listenerMetadata differs and is left out")
    profile = Profile(
        default_action=default.kind.scmp,
        default_errno=default.data if default.kind.takes_data else None,
        rules=rules,
        architectures=arches,
        flags=left.flags if same["flags"] else None,
        listener_path=left.listener_path if same["listener_path"] else "",
        listener_metadata=left.listener_metadata if same["listener_metadata"] else "",
    )
    return CombinedProfile(profile, tuple(warnings))


def _rules(product: ClauseProduct, warnings: list[str]) -> tuple[Action, tuple[Rule, ...]]:
    """Return rules that name together the calls with the same clauses, and the default action."""
    grouped: dict[tuple[Clause, ...], list[str]] = {}
    for name in sorted({*product.one.calls, *product.other.calls}):
        try:
            clauses = _combine(product, name, warnings)
        except (ValueError, SeclatchError) as error:
            raise SeclatchError(
                f"combining the rules for {name}: {error}",
                remedy="change one of the two rules so that comparisons can say it",
                status=2,
            ) from error
        grouped.setdefault(tuple(clauses), []).append(name)
    return product.default, tuple(
        _rule(tuple(names), clause) for clauses, names in grouped.items() for clause in clauses
    )


def _combine(product: ClauseProduct, name: str, warnings: list[str]) -> list[Clause]:
    """Return what both say of a call, chosen between; approximately where rules cannot say it."""
    try:
        found = _exactly(product, name)
    except ValueError as problem:
        try:
            found = _exactly(replace(product, choose=_coarse(product)), name)
        except ValueError:
            raise problem from None
        warnings.append(f"{name}: where it is refused it gets the default, {product.default}")
    if product.is_chosen(name):
        version = libseccomp.format_version()
        warnings.append(
            f"{name}: of overlapping conditions those count that libseccomp {version} lets count"
        )
    return found


def _coarse(product: ClauseProduct) -> Choice:
    """Choose as it does, and let refusals have the default's errno."""

    def choose(left: Action, right: Action) -> Action:
        chosen = product.choose(left, right)
        return product.default if chosen.kind is product.default.kind else chosen

    return choose


def _exactly(product: ClauseProduct, name: str) -> list[Clause]:
    """By the clauses themselves where those will do, else by the boxes that they make up."""
    if not product.is_chosen(name):
        with suppress(ValueError):
            return _by_clauses(product, name)
    return product.clauses(name)


def _by_clauses(product: ClauseProduct, name: str) -> list[Clause]:
    """Combine by clauses. Raises ValueError where one comparison an argument cannot say it."""
    sides = product.one, product.other
    one, other = (_total(side.meaning, name) for side in sides)
    settled = settle_order(multiply_clauses(one, other, product.choose), product.default)
    # 32-bit ABIs cut the values, and a mask of which nothing is left is no condition.
    cut = any(side.meaning.clauses(name) != side.narrow.clauses(name) for side in sides)
    if cut or any(_wide(arg) for clause in (*one, *other, *settled) for arg in clause.args):
        product.verify(name, settled)
    return settled


def _wide(arg: Arg) -> bool:
    return max(arg.value, arg.value_two) >> 32 > 0


def _rule(names: tuple[str, ...], clause: Clause) -> Rule:
    action = clause.action
    errno = action.data if action.kind.takes_data else None
    return Rule(names, action.kind.scmp, errno, clause.args)


def _total(meaning: ProfileMeaning, name: str) -> list[Clause]:
    """Return the clauses of a call with the default at the end: one matches any arguments."""
    clauses = meaning.clauses(name)
    whole = bool(clauses) and not clauses[-1].args
    return [*clauses, *(() if whole else (Clause((), meaning.default),))]
