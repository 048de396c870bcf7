"""Sets of values of one argument, and the comparisons that express them.

A filter reads an argument as two 32-bit words; a profile compares it whole.

See docs/decisions/0085 (three sets of argument values).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from seclatch.filter.symbolic.word_set import (
    FULL,
    Cube,
    Range,
    WordSet,
    clip_ranges,
    merge_ranges,
    split_range,
    subtract_range,
)
from seclatch.model.action import Operator
from seclatch.model.profile.profile import Arg

MAX_PIECES = 256
"""Alternatives into which one condition may be split. Each becomes a rule, or a case of one."""


class InexpressibleError(Exception):
    """No rule of a profile can express this; the text says why."""


@dataclass(frozen=True, slots=True)
class ArgumentValues:
    """Values of a `bits` wide argument: ranges (sorted, disjoint), or cubes if cut by bits."""

    bits: int
    ranges: tuple[Range, ...] = ()
    cubes: tuple[Cube, ...] = ()

    @property
    def full(self) -> bool:
        """Return whether it holds every value."""
        return self.ranges == ((0, (1 << self.bits) - 1),)

    def __contains__(self, value: int) -> bool:
        return any(first <= value <= last for first, last in self.ranges) or any(
            value & mask == wanted for mask, wanted in self.cubes
        )

    def union(self, other: ArgumentValues) -> ArgumentValues | None:
        """Return the union, or None where it is not one set of ranges."""
        if self.cubes or other.cubes:
            return None
        return ArgumentValues(self.bits, merge_ranges(sorted(self.ranges + other.ranges)))

    def outside(self) -> tuple[Range, ...]:
        """Return the ranges of the other values; only for a set of ranges."""
        rest: tuple[Range, ...] = ((0, (1 << self.bits) - 1),)
        for first, last in self.ranges:
            rest = subtract_range(rest, first, last)
        return rest

    def within(self, other: ArgumentValues) -> bool:
        """Return whether `other` has every value; may be False where bits and ranges meet."""
        if self == other or other.full:
            return True
        if self.cubes or other.cubes:
            return False
        return all(clip_ranges(self.ranges, *gap) == () for gap in other.outside())

    def comparisons(self, index: int) -> Iterator[Arg]:
        """Yield comparisons of argument `index`, one of which holds for exactly these values."""
        yield from (_masked(index, cube, self.bits) for cube in self.cubes)
        outside = self.outside() if self.ranges else ()
        if len(outside) == 1 and outside[0][0] == outside[0][1]:
            yield Arg(index, Operator.NE, outside[0][0])
            return
        for one in self.ranges:
            yield from _compared(index, one, self.bits)


def join_halves(high: WordSet, low: WordSet, bits: int) -> ArgumentValues:
    """Join the sets of an argument's halves; of 32 bits, only `low` counts.

    Raises InexpressibleError where they split into more than MAX_PIECES.
    """
    if bits == 32:
        return (
            ArgumentValues(bits, cubes=_cubes(low))
            if low.masked
            else ArgumentValues(bits, ranges=low.ranges)
        )
    if not high.masked and not low.masked:
        if low.full:
            return ArgumentValues(
                bits, ranges=tuple((a << 32, b << 32 | 0xFFFFFFFF) for a, b in high.ranges)
            )
        if all(first == last for first, last in high.ranges):
            joined = [(h << 32 | a, h << 32 | b) for h, _ in high.ranges for a, b in low.ranges]
            return ArgumentValues(bits, ranges=merge_ranges(joined))
    highs, lows = _cubes(high), _cubes(low)
    if len(highs) * len(lows) > MAX_PIECES:
        raise InexpressibleError(f"its condition falls into more than {MAX_PIECES} cases")
    joined = [(hm << 32 | lm, hv << 32 | lv) for hm, hv in highs for lm, lv in lows]
    return ArgumentValues(bits, cubes=tuple(joined))


def _cubes(domain: WordSet) -> tuple[Cube, ...]:
    if domain == FULL:
        return ((0, 0),)
    if len(domain.unequal) <= MAX_PIECES:
        found = tuple(islice(domain.cubes(), MAX_PIECES + 1))
        if len(found) <= MAX_PIECES:
            return found
    raise InexpressibleError(f"its condition falls into more than {MAX_PIECES} cases")


def _compared(index: int, values: Range, bits: int) -> Iterator[Arg]:
    first, last = values
    if first == last:
        yield Arg(index, Operator.EQ, first)
    elif first == 0:
        yield Arg(index, Operator.LE, last)
    elif last == (1 << bits) - 1:
        yield Arg(index, Operator.GE, first)
    else:
        # A rule may compare an argument once only (seccomp_rule_add(3)): two bounds need blocks.
        for block in split_range(first, last, bits):
            yield _masked(index, block, bits)


def _masked(index: int, cube: Cube, bits: int) -> Arg:
    mask, value = cube
    if mask == (1 << bits) - 1:
        return Arg(index, Operator.EQ, value)
    return Arg(index, Operator.MASKED_EQ, mask, value)
