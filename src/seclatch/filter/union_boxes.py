"""Reduce boxes: fewer and simpler conditions for the same calls.

A box is a condition on several words or arguments at once; boxes of one action are alternatives.

See docs/decisions/0073 (combining by boxes).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, Self, TypeVar

from seclatch.filter.argument_box import ArgumentValues

MAX_BOXES = 1000
"""More are left as they are: joining compares all pairs. Usual filters make a few dozen."""


class _UnionSet(Protocol):
    """Sets that may have a union of their own kind."""

    @property
    def full(self) -> bool: ...

    def union(self, other: Self, /) -> Self | None: ...


S = TypeVar("S", bound=_UnionSet)


def join_boxes(boxes: Sequence[Mapping[int, S]]) -> list[Mapping[int, S]]:
    """Join boxes that differ in one key only, where those sets have a union, until none do."""
    if len(boxes) > MAX_BOXES:
        return list(boxes)
    joined: list[Mapping[int, S]] = []
    pending = list(reversed(boxes))
    while pending:
        box = pending.pop()
        for other in joined:
            united = _unite_boxes(box, other)
            if united is not None:
                joined.remove(other)
                pending.append(united)
                break
        else:
            joined.append(box)
    return joined


def _unite_boxes(one: Mapping[int, S], other: Mapping[int, S]) -> Mapping[int, S] | None:
    differing = [key for key in one.keys() | other.keys() if one.get(key) != other.get(key)]
    if not differing:
        return one
    key = differing[0]
    if len(differing) > 1:
        return None
    if key not in one or key not in other:
        return one if key not in one else other  # the one with fewer conditions contains the other
    union = one[key].union(other[key])
    if union is None:
        return None
    rest = {index: values for index, values in one.items() if index != key}
    return rest if union.full else rest | {key: union}


def widen_boxes(
    boxes: Sequence[Mapping[int, ArgumentValues]],
) -> list[Mapping[int, ArgumentValues]]:
    """Drop conditions that other boxes make redundant: they include the excluded values.

    `arg0 != 16 and arg2 == 9`, or `arg2 != 9`: the first means no more than `arg0 != 16`. The rules
    get simpler, and libseccomp has been wrong about the longer kind.
    """
    if len(boxes) > MAX_BOXES:
        return list(boxes)
    widened = [dict(box) for box in boxes]
    for place, box in enumerate(widened):
        others = widened[:place] + widened[place + 1 :]
        for index, values in list(box.items()):
            beyond = ArgumentValues(values.bits, ranges=values.outside())
            if not values.cubes and any(
                _contains_box(box | {index: beyond}, one) for one in others
            ):
                del box[index]
    return list(widened)


def _contains_box(box: Mapping[int, ArgumentValues], outer: Mapping[int, ArgumentValues]) -> bool:
    return all(index in box and box[index].within(values) for index, values in outer.items())
