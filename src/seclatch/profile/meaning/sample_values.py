"""Values of one argument that stand for all: one for each way in which comparisons can come out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

from seclatch.filter.symbolic.word_set import Cube, Range, intersect_cubes, split_range
from seclatch.model.action import Operator
from seclatch.model.profile.profile import Arg
from seclatch.profile.meaning import rule_comparison

MAX_STEPS = 20_000
"""How far to look for values that several masks let through, for one argument."""


class TooManyError(ValueError):
    """There are more cases than are worth looking at."""


@lru_cache(maxsize=4096)
def list_samples(comparisons: frozenset[Arg], bits: int) -> tuple[int, ...]:
    """Return a value of a `bits` wide argument for each set of comparisons that can hold at once.

    The comparisons are of one argument, and made for that width (`rule_comparison.fit`). Raises
    TooManyError where masks and ranges meet in too many ways.
    """
    masks = [arg for arg in comparisons if arg.operator is Operator.MASKED_EQ]
    found: dict[tuple[bool, ...], int] = {}
    order = sorted(comparisons, key=str)
    for value in _SampleSearch(masks, bits).values(_segments(comparisons, bits)):
        found.setdefault(tuple(rule_comparison.matches_value(arg, value) for arg in order), value)
    return tuple(found.values())


def _segments(comparisons: frozenset[Arg], bits: int) -> list[Range]:
    """Ranges on which every comparison but the masks comes out the same."""
    starts = {0}
    for arg in comparisons:
        if arg.operator is not Operator.MASKED_EQ:
            starts |= {arg.value, arg.value + 1}
    end = 1 << bits
    edges = sorted(start for start in starts if start < end)
    return [(a, b - 1) for a, b in zip(edges, [*edges[1:], end], strict=True)]


class _SampleSearch:
    def __init__(self, masks: Sequence[Arg], bits: int) -> None:
        self.cubes: list[Cube] = [(arg.value, arg.value_two & arg.value) for arg in masks]
        self.bits = bits
        self.left = MAX_STEPS

    def values(self, segments: Sequence[Range]) -> Iterator[int]:
        """Yield a value of each segment for each way in which the masks can come out there."""
        for first, last in segments:
            if first == last or not self.cubes:
                yield first
                continue
            yield from self._split(list(split_range(first, last, self.bits)), (0, 0), [], 0)

    def _split(
        self, pieces: list[Cube], equal: Cube, unequal: list[Cube], at: int
    ) -> Iterator[int]:
        """`pieces` make up the segment; `equal` and `unequal` are the masks decided so far."""
        witness = self._witness(pieces, equal, unequal)
        if witness is None:
            return
        if at == len(self.cubes):
            yield witness
            return
        cube = self.cubes[at]
        both = intersect_cubes(equal, cube)
        if both is not None:
            yield from self._split(pieces, both, unequal, at + 1)
        yield from self._split(pieces, equal, [*unequal, cube], at + 1)

    def _witness(self, pieces: list[Cube], equal: Cube, unequal: list[Cube]) -> int | None:
        for piece in pieces:
            both = intersect_cubes(piece, equal)
            value = None if both is None else self._outside(both, unequal)
            if value is not None:
                return value
        return None

    def _outside(self, cube: Cube, others: Sequence[Cube]) -> int | None:
        """Return a value of the cube that is in none of the others."""
        self.left -= 1
        if self.left < 0:
            raise TooManyError("masks and ranges of one argument meet in too many ways")
        other = next((each for each in others if intersect_cubes(cube, each)), None)
        if other is None:
            return cube[1]
        mask, value = cube
        free = other[0] & ~mask
        while free:
            bit = free & -free
            free ^= bit
            found = self._outside((mask | bit, value | (~other[1] & bit)), others)
            if found is not None:
                return found
            mask, value = mask | bit, value | (other[1] & bit)
        return None
