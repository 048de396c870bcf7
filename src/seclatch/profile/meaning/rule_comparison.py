"""Comparisons of one argument, as rules make them: what they match, imply and have in common."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import replace

from seclatch.filter.symbolic.word_set import Cube, intersect_cubes, split_range
from seclatch.model.action import Operator
from seclatch.model.profile.profile import Arg

MAX = (1 << 64) - 1

Intervals = tuple[tuple[int, int], ...]
"""Closed intervals, ascending and apart."""

_COMPARE: dict[Operator, Callable[[int, int], bool]] = {
    Operator.EQ: operator.eq,
    Operator.NE: operator.ne,
    Operator.LT: operator.lt,
    Operator.LE: operator.le,
    Operator.GE: operator.ge,
    Operator.GT: operator.gt,
}
_NEGATED = {
    Operator.EQ: Operator.NE,
    Operator.NE: Operator.EQ,
    Operator.LT: Operator.GE,
    Operator.GE: Operator.LT,
    Operator.LE: Operator.GT,
    Operator.GT: Operator.LE,
}


def matches_value(arg: Arg, value: int) -> bool:
    """Return whether the comparison holds for this value of the argument (unsigned 64-bit)."""
    if arg.operator is Operator.MASKED_EQ:
        # libseccomp masks the second value too (seccomp_rule_add(3), SCMP_CMP_MASKED_EQ).
        return value & arg.value == arg.value_two & arg.value
    return _COMPARE[arg.operator](value, arg.value)


def fit_width(arg: Arg, bits: int) -> Arg:
    """Return the comparison as libseccomp makes it for arguments `bits` wide: it cuts the values.

    So on 32-bit ABIs `< 0x100000000` holds for none. A mask over all bits is an equality, and of
    the second value only masked bits count (seccomp_rule_add(3), SCMP_CMP_MASKED_EQ).
    """
    everything = (1 << bits) - 1
    value = arg.value & everything
    if arg.operator is not Operator.MASKED_EQ:
        return Arg(arg.index, arg.operator, value)
    if value == everything:
        return Arg(arg.index, Operator.EQ, arg.value_two & everything)
    return Arg(arg.index, arg.operator, value, arg.value_two & value)


def matches_nothing(arg: Arg, bits: int = 64) -> bool:
    """Return whether it holds for no value (of a `bits` wide argument, for which it is fit)."""
    last = (1 << bits) - 1
    return (arg.operator is Operator.LT and arg.value == 0) or (
        arg.operator is Operator.GT and arg.value == last
    )


def has_empty_mask(arg: Arg) -> bool:
    """Return whether it is a masked comparison of no bits, which holds for every value."""
    return arg.operator is Operator.MASKED_EQ and arg.value == 0


def matches_everything(arg: Arg, bits: int = 64) -> bool:
    """Return whether it holds for every value (of a `bits` wide argument, for which it is fit)."""
    if arg.operator is Operator.MASKED_EQ:
        return arg.value == 0
    return (arg.operator is Operator.GE and arg.value == 0) or (
        arg.operator is Operator.LE and arg.value == (1 << bits) - 1
    )


def can_both_hold(one: Arg, other: Arg, bits: int) -> bool:
    """Can both comparisons of one argument (fit for `bits`) hold at once?"""
    everything = (1 << bits) - 1
    masks = [arg for arg in (one, other) if arg.operator is Operator.MASKED_EQ]
    ranges = [arg for arg in (one, other) if arg.operator is not Operator.MASKED_EQ]
    cube: Cube | None = (0, 0)
    for arg in masks:
        cube = intersect_cubes(cube, (arg.value, arg.value_two & arg.value)) if cube else None
    left: Intervals = ((0, everything),)
    for arg in ranges:
        left = _intersect(left, _intervals(arg))
    return cube is not None and any(
        intersect_cubes(block, cube) for low, high in left for block in split_range(low, high, bits)
    )


def is_within(one: Arg, other: Arg) -> bool:
    """Return whether `other` holds wherever `one` does; False where a mask meets a range."""
    one, other = _plain(one), _plain(other)
    if one.operator is Operator.EQ:
        return matches_value(other, one.value)
    masks = [arg.operator is Operator.MASKED_EQ for arg in (one, other)]
    if all(masks):
        common = one.value & other.value
        return common == other.value and not (one.value_two ^ other.value_two) & common
    return not any(masks) and _intersect(_intervals(one), _intervals(other)) == _intervals(one)


def conjoin_comparisons(left: Arg, right: Arg) -> Arg | None:
    """One comparison that holds where both do, or None if they never do at once.

    Raises ValueError where no single comparison says it (as `>= 2 and <= 5`). One that says it
    already stays as it is written: cut to 32 bits, `> 0xffffffff` and `>= 0x100000000` differ.
    """
    for one, other in ((left, right), (right, left)):
        if is_within(one, other) and not matches_nothing(one):
            return one
    left, right = _plain(left), _plain(right)
    masked = [arg for arg in (left, right) if arg.operator is Operator.MASKED_EQ]
    if len(masked) == 2:
        return _conjoin_masks(left, right)
    if masked:
        other = right if masked[0] is left else left
        return _conjoin_mask(masked[0], other)
    both = _intersect(_intervals(left), _intervals(right))
    return _spell(left.index, both) if both else None


def negate_comparison(arg: Arg) -> Arg:
    """Return the comparison that holds where this one does not; ValueError for a masked one."""
    arg = _plain(arg)
    if arg.operator is Operator.MASKED_EQ:
        raise ValueError(f"profiles cannot say `not ({arg})`")
    return replace(arg, operator=_NEGATED[arg.operator], value_two=0)


def list_edge_values(arg: Arg) -> set[int]:
    """Values on both sides of each of the comparison's edges."""
    around = {(arg.value + step) & MAX for step in (-1, 0, 1)}
    if arg.operator is not Operator.MASKED_EQ:
        return around
    value = arg.value_two & arg.value
    lowest = arg.value & -arg.value
    return {value, value ^ lowest, value ^ arg.value, value | (~arg.value & MAX)}


def _plain(arg: Arg) -> Arg:
    """Turn a mask over all bits into an equality."""
    if arg.operator is Operator.MASKED_EQ and arg.value == MAX:
        return Arg(arg.index, Operator.EQ, arg.value_two)
    return arg


def _intervals(arg: Arg) -> Intervals:
    value = arg.value
    lists: dict[Operator, tuple[tuple[int, int], ...]] = {
        Operator.EQ: ((value, value),),
        Operator.NE: ((0, value - 1), (value + 1, MAX)),
        Operator.LT: ((0, value - 1),),
        Operator.LE: ((0, value),),
        Operator.GE: ((value, MAX),),
        Operator.GT: ((value + 1, MAX),),
    }
    return tuple((low, high) for low, high in lists[arg.operator] if low <= high)


def _intersect(left: Intervals, right: Intervals) -> Intervals:
    pairs = ((max(a, c), min(b, d)) for a, b in left for c, d in right)
    return tuple(sorted((low, high) for low, high in pairs if low <= high))


def _spell(index: int, intervals: Intervals) -> Arg:
    """Name a set of intervals by one comparison."""
    first, last = intervals[0], intervals[-1]
    if len(intervals) == 2 and first[0] == 0 and last == (first[1] + 2, MAX):
        return Arg(index, Operator.NE, first[1] + 1)
    if len(intervals) == 1:
        low, high = first
        if low == high:
            return Arg(index, Operator.EQ, low)
        if low == 0:
            return Arg(index, Operator.LE, high)
        if high == MAX:
            return Arg(index, Operator.GE, low)
    text = " or ".join(f"{low:#x} to {high:#x}" for low, high in intervals)
    raise ValueError(f"no single comparison says arg{index} in {text}")


def _conjoin_masks(left: Arg, right: Arg) -> Arg | None:
    common = left.value & right.value
    if (left.value_two ^ right.value_two) & common:
        return None
    value = (left.value_two & left.value) | (right.value_two & right.value)
    return Arg(left.index, Operator.MASKED_EQ, left.value | right.value, value)


def _conjoin_mask(mask: Arg, other: Arg) -> Arg | None:
    if mask.value == 0 or matches_everything(other):
        return other if mask.value == 0 else mask
    if other.operator is Operator.EQ:
        return other if matches_value(mask, other.value) else None
    if other.operator is Operator.NE and not matches_value(mask, other.value):
        return mask
    if matches_nothing(other):
        return None
    raise ValueError(f"no single comparison says {mask} and {other}")
