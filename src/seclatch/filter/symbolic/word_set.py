"""Sets of 32-bit words, as a filter's comparisons define them.

See docs/decisions/0085 (three sets of argument values).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from seclatch.filter.classic_bpf import opcode

U32 = 0xFFFFFFFF

Range = tuple[int, int]
"""First and last."""

Cube = tuple[int, int]
"""(mask, value): all words w with `w & mask == value`."""

_FEW = 64
"""A set of so few words is enumerated, which decides every question about it."""


@dataclass(frozen=True, slots=True)
class WordSet:
    """The words within `ranges` (sorted, disjoint) and within `equal`, and in none of `unequal`."""

    ranges: tuple[Range, ...] = ((0, U32),)
    equal: Cube = (0, 0)
    unequal: tuple[Cube, ...] = ()

    @property
    def full(self) -> bool:
        """Return whether it holds every word."""
        return self == FULL

    @property
    def masked(self) -> bool:
        """Return whether it is restricted by bits, not only by order."""
        return self.equal != (0, 0) or bool(self.unequal)

    def __contains__(self, word: int) -> bool:
        mask, value = self.equal
        return (
            word & mask == value
            and any(first <= word <= last for first, last in self.ranges)
            and not any(word & mask == value for mask, value in self.unequal)
        )

    def narrow(self, operation: int, mask: int, right: int, holds: bool) -> WordSet | None:
        """Return the words for which `word & mask operation right` holds, or fails.

        None if there are none; where ranges and several masks meet, an empty set may not be
        recognised (no call then matches what is made of it). The operation is JEQ where the mask
        has gaps; an order of masked words is not a set of this kind.
        """
        if mask != U32:
            narrowed = self._narrow_bits((mask, right), holds)
        else:
            narrowed = replace(
                self, ranges=_cut_ranges(self.ranges, *_bounds(operation, right), holds)
            )
        return narrowed._settle() if narrowed else None

    def _narrow_bits(self, cube: Cube, holds: bool) -> WordSet | None:
        mask, value = cube
        if not holds and mask.bit_count() == 1:
            cube, holds = (mask, mask ^ value), True  # a bit that is not 0 is 1
        if not holds:
            return replace(self, unequal=(*self.unequal, cube))
        both = intersect_cubes(self.equal, cube)
        return replace(self, equal=both) if both else None

    def _settle(self) -> WordSet | None:
        """Drop redundant conditions; None for an empty set."""
        if not self.masked:
            return self if self.ranges else None
        if sum(last - first + 1 for first, last in self.ranges) <= _FEW:
            words = [w for first, last in self.ranges for w in range(first, last + 1) if w in self]
            return WordSet(_ranges_of(words)) if words else None
        if not any(meets_cube(one, self.equal) for one in self.ranges):
            return None
        if any(contains_cube(cube, self.equal) for cube in self.unequal):
            return None
        apart = tuple(cube for cube in self.unequal if intersect_cubes(cube, self.equal))
        return replace(self, unequal=apart)

    def union(self, other: WordSet) -> WordSet | None:
        """Return the union, if both are cut by the same bits, or one has few words."""
        for one, few in ((self, other), (other, self)):
            same = (one.equal, one.unequal) == (few.equal, few.unequal)
            if same or (not few.masked and one._takes(few.ranges)):
                return replace(one, ranges=merge_ranges(sorted(one.ranges + few.ranges)))
        return None

    def _takes(self, ranges: tuple[Range, ...]) -> bool:
        """Return whether these few words all match the bits, whatever their order."""
        bits = replace(self, ranges=FULL.ranges)
        few = sum(last - first + 1 for first, last in ranges) <= _FEW
        return few and all(w in bits for first, last in ranges for w in range(first, last + 1))

    def cubes(self) -> Iterator[Cube]:
        """Yield the set as disjoint cubes. There may be very many: stop when enough."""
        for first, last in self.ranges:
            for block in split_range(first, last, 32):
                both = intersect_cubes(block, self.equal)
                if both:
                    yield from _subtract_cubes(both, self.unequal)


FULL = WordSet()


def intersect_cubes(one: Cube, other: Cube) -> Cube | None:
    """Return the common words of two cubes, or None."""
    if (one[1] ^ other[1]) & one[0] & other[0]:
        return None
    return one[0] | other[0], one[1] | other[1]


def contains_cube(outer: Cube, inner: Cube) -> bool:
    """Return whether every word of `inner` is in `outer`."""
    return inner[0] & outer[0] == outer[0] and inner[1] & outer[0] == outer[1]


def split_range(first: int, last: int, bits: int) -> Iterator[Cube]:
    """Yield the range as aligned blocks of powers of two, the fewest there are; as cubes."""
    everything = (1 << bits) - 1
    while first <= last:
        size = first & -first or 1 << bits
        while size > last - first + 1:
            size >>= 1
        yield everything & ~(size - 1), first
        first += size


def merge_ranges(ranges: list[Range]) -> tuple[Range, ...]:
    """Join sorted ranges that touch."""
    merged: list[Range] = []
    for first, last in ranges:
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return tuple(merged)


def subtract_range(ranges: tuple[Range, ...], first: int, last: int) -> tuple[Range, ...]:
    """Return the ranges without first … last."""
    left: list[Range] = []
    for low, high in ranges:
        if low < first:
            left.append((low, min(high, first - 1)))
        if high > last:
            left.append((max(low, last + 1), high))
    return tuple(left)


def clip_ranges(ranges: tuple[Range, ...], first: int, last: int) -> tuple[Range, ...]:
    """Return the parts of the ranges within first … last."""
    return tuple(
        (max(low, first), min(high, last)) for low, high in ranges if low <= last and high >= first
    )


def _bounds(operation: int, right: int) -> Range:
    if operation == opcode.JEQ:
        return right, right
    return (right if operation == opcode.JGE else right + 1), U32


def _cut_ranges(
    ranges: tuple[Range, ...], first: int, last: int, inside: bool
) -> tuple[Range, ...]:
    return clip_ranges(ranges, first, last) if inside else subtract_range(ranges, first, last)


def _ranges_of(words: list[int]) -> tuple[Range, ...]:
    ranges: list[Range] = []
    for word in words:
        if ranges and ranges[-1][1] == word - 1:
            ranges[-1] = (ranges[-1][0], word)
        else:
            ranges.append((word, word))
    return tuple(ranges)


def meets_cube(within: Range, cube: Cube) -> bool:
    """Return whether the cube has a word in the range."""
    return any(intersect_cubes(block, cube) for block in split_range(*within, 32))


def _subtract_cubes(cube: Cube, unequal: tuple[Cube, ...]) -> Iterator[Cube]:
    """Yield a cube less some others, in pieces: for each bit that must differ, one piece."""
    if not unequal:
        yield cube
        return
    other, rest = unequal[0], unequal[1:]
    if not intersect_cubes(cube, other):
        yield from _subtract_cubes(cube, rest)
        return
    mask, value = cube
    free = other[0] & ~mask
    for bit in (1 << n for n in reversed(range(free.bit_length())) if free >> n & 1):
        mask |= bit
        yield from _subtract_cubes((mask, value | (~other[1] & bit)), rest)
        value |= other[1] & bit
