"""From time to place: an axis that gives room to where much happens. Pure.

A start takes a tenth of a second, and what it is about happens within one or two milliseconds of
it; the program may then run for hours. So the axis is stretched: each pause between two events
gets room by the logarithm of its length. The order of events is kept, and every moment has a place.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterable

UNIT = 0.0002
"""Seconds from which on a pause is compressed."""
MAGNIFIED = 0.16
"""Share of the axis that the spans of one kind to magnify get at least, together."""


class TimeScale:
    """Maps seconds to 0…100 (percent of the width) and back.

    `magnify` are kinds of spans that get a visible width however short they are.
    """

    def __init__(
        self, times: Iterable[float], end: float, *magnify: Iterable[tuple[float, float]]
    ) -> None:
        self._times = sorted({0.0, max(end, 1e-6), *(t for t in times if 0 < t < end)})
        pairs = list(zip(self._times, self._times[1:], strict=False))
        widths = [math.log1p((later - earlier) / UNIT) for earlier, later in pairs]
        for kind in magnify:
            spans = list(kind)
            _magnify(
                widths,
                [any(a <= earlier and later <= b for a, b in spans) for earlier, later in pairs],
            )
        total = sum(widths) or 1.0
        self._places = [0.0]
        for width in widths:
            self._places.append(self._places[-1] + width / total * 100)

    def place(self, time: float) -> float:
        """Where a moment is, in percent."""
        return _between(self._times, self._places, time)

    def time(self, place: float) -> float:
        """Which moment is there."""
        return _between(self._places, self._times, place)


def _magnify(widths: list[float], inside: list[bool]) -> None:
    """Widen what is inside until it has its share."""
    within = sum(width for width, chosen in zip(widths, inside, strict=True) if chosen)
    without = sum(widths) - within
    if not within or within / (within + without) >= MAGNIFIED:
        return
    factor = MAGNIFIED / (1 - MAGNIFIED) * without / within
    for index, chosen in enumerate(inside):
        if chosen:
            widths[index] *= factor


def _between(known: list[float], wanted: list[float], value: float) -> float:
    """Interpolate; what is outside gets the end."""
    after = bisect.bisect_right(known, value)
    if after == 0:
        return wanted[0]
    if after == len(known):
        return wanted[-1]
    low, high = known[after - 1], known[after]
    share = (value - low) / (high - low)
    return wanted[after - 1] + share * (wanted[after] - wanted[after - 1])
