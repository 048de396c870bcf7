from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seclatch.report.timeline.time_scale import MAGNIFIED, TimeScale

TIMES = st.lists(st.floats(0, 1e6), max_size=30)


@given(TIMES, st.floats(1e-6, 1e6), st.floats(0, 1e6), st.floats(0, 1e6))
def test_order_is_kept_within_the_bounds(
    times: list[float], end: float, one: float, other: float
) -> None:
    scale = TimeScale(times, end)
    low, high = sorted((one, other))
    assert 0 <= scale.place(low) <= scale.place(high) <= 100 + 1e-6
    assert scale.place(0) == 0
    assert scale.place(end) == pytest.approx(100)


@given(TIMES, st.floats(1e-3, 1e6), st.floats(0, 1))
def test_the_inverse(times: list[float], end: float, share: float) -> None:
    scale = TimeScale(times, end)
    assert scale.time(scale.place(share * end)) == pytest.approx(share * end, rel=1e-3, abs=1e-3)


def test_a_long_run_leaves_room_for_the_start() -> None:
    scale = TimeScale([0.100, 0.101, 0.102], 3600)
    assert scale.place(0.102) - scale.place(0.100) > 10


def test_important_spans_get_their_share() -> None:
    times = [number / 100 for number in range(100)]
    scale = TimeScale([*times, 0.5004], 1, [(0.5, 0.5004)])
    assert scale.place(0.5004) - scale.place(0.5) == pytest.approx(100 * MAGNIFIED)


def test_each_kind_of_important_span_gets_room() -> None:
    times = [number / 100 for number in range(100)]
    scale = TimeScale([*times, 0.5004, 0.5008], 1, [(0.5, 0.5004)], [(0.5004, 0.5008)])
    assert scale.place(0.5004) - scale.place(0.5) > 80 * MAGNIFIED
    assert scale.place(0.5008) - scale.place(0.5004) == pytest.approx(100 * MAGNIFIED)
