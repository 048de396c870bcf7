"""The timeline's labels: each on a row of its own; of two starts, no line crosses any."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from seclatch.report.timeline.timeline_chart import LABEL, PHONE_LABEL, ChartRuler, _in_rows

_PLACE = st.floats(0, 100).map(lambda x: round(x, 2))


def crossed(label: ChartRuler, line: ChartRuler, length: float) -> bool:
    """Return whether a line, which runs down from its row, crosses a label."""
    low, high = (label.x - length, label.x) if label.end else (label.x, label.x + length)
    return low < line.x < high and line.row < label.row


@given(st.lists(_PLACE, max_size=4))
def test_no_line_crosses_a_label(places: list[float]) -> None:
    rulers = _in_rows(sorted((x, "binds", "the filter begins") for x in places))
    assert sorted(each.x for each in rulers) == sorted(places)
    assert sorted(each.row for each in rulers) == list(range(len(places)))
    for label in rulers:
        assert not [line for line in rulers if crossed(label, line, LABEL)]


@given(st.lists(_PLACE, max_size=8))
def test_no_label_leaves_the_chart(places: list[float]) -> None:
    for label in _in_rows(sorted((x, "loaded", "loaded, suspended") for x in places)):
        assert label.x - PHONE_LABEL >= 0 if label.end else label.x + PHONE_LABEL <= 100
