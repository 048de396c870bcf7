"""The timeline's geometry: every place in percent of the width. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from seclatch.report.document.process_names import format_duration
from seclatch.report.document.report_document import Lane, Report, Start
from seclatch.report.timeline.time_scale import TimeScale

TICKS = 7
MIN_WIDTH = 0.25
"""Percent; less could not be seen."""
MAX_RULERS = 4
LABEL, PHONE_LABEL = 16, 31
"""Percent that the longest label takes, on a page of 1280 pixels and on a phone."""


@dataclass(frozen=True, slots=True)
class ChartBar:
    """A span of a lane. `label` is empty where there is no room for it."""

    x: float
    width: float
    state: str
    latched: bool
    stage: str
    text: str


@dataclass(frozen=True, slots=True)
class ChartGlyph:
    """A mark on a lane."""

    x: float
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class ChartRuler:
    """A line through all lanes.

    `kind`: `loaded`, `binds`, `binds-early` or `exec`. `end`: its label points to the left.
    """

    x: float
    kind: str
    text: str
    end: bool
    row: int


@dataclass(frozen=True, slots=True)
class ChartRow:
    """A lane with its bars and its text alternative.

    `outcome` is that of the start whose program this is, else empty.
    """

    lane: Lane
    stages: str
    bars: list[ChartBar]
    glyphs: list[ChartGlyph]
    told: str
    outcome: str


@dataclass(frozen=True, slots=True)
class ChartTick:
    """A moment on the axis."""

    x: float
    text: str


@dataclass(frozen=True, slots=True)
class TimelineChart:
    """The whole."""

    rows: list[ChartRow]
    rulers: list[ChartRuler]
    ticks: list[ChartTick]
    kinds: list[str]


def lay_out_chart(report: Report) -> TimelineChart:
    """Lay the timeline out."""
    lanes = report.timeline.lanes
    times = [t for lane in lanes for span in lane.spans for t in (span.begin, span.end)]
    times += [mark.time for lane in lanes for mark in lane.marks]
    shown = report.starts[:MAX_RULERS]
    ends = {lane.process: lane.spans[-1].end for lane in lanes}
    keys = [span for each in shown for span in _key(each, ends)]
    bound = [span for each in shown for span in _bound(each, ends)]
    scale = TimeScale(times, report.timeline.duration, keys, bound)
    outcomes: dict[int | None, str] = {each.process: each.outcome for each in report.starts}
    rows = [_row(lane, scale, outcomes.get(lane.process, "")) for lane in lanes]
    places = [100 * step / (TICKS - 1) for step in range(TICKS)]
    ticks = [ChartTick(round(x, 2), format_duration(scale.time(x)) if x else "0") for x in places]
    kinds = {glyph.kind for row in rows for glyph in row.glyphs}
    return TimelineChart(rows, _rulers(shown, scale), ticks, sorted(kinds))


def _key(start: Start, ends: dict[int | None, float]) -> list[tuple[float, float]]:
    """Return the key span of a start: from the filter's load to the program's exec, or to the end.

    The end is that of a process that never became the program.
    """
    if start.loaded is None:
        return []
    known = [each for each in (start.binds, start.executed) if each is not None]
    if start.executed is None:
        known.append(ends.get(start.process, start.loaded))
    return [(start.loaded, max(known))] if known else []


def _bound(start: Start, ends: dict[int | None, float]) -> list[tuple[float, float]]:
    """Return the span of the program under the filter, which must be visible however short."""
    if start.executed is None or start.binds is None:
        return []
    begin = max(start.binds, start.executed)
    return [(begin, max(begin, ends.get(start.process, begin)))]


def _rulers(starts: list[Start], scale: TimeScale) -> list[ChartRuler]:
    """List the rulers of each start, each with a row of its own for its label."""
    found: list[tuple[float, str, str]] = []

    def add(time: float | None, kind: str, text: str) -> None:
        if time is not None:
            found.append((round(scale.place(time), 2), kind, text))

    for start in starts:
        if start.outcome == "latched":
            add(start.loaded, "loaded", "loaded, suspended")
            add(start.binds, "binds", "the filter begins")
        elif start.loaded is not None:
            # short: it has to fit a phone
            add(start.loaded, "binds-early", f"filter begins in {start.runtime}")
            add(start.executed, "exec", "the program")
    return _in_rows(sorted(found))


def _in_rows(found: list[tuple[float, str, str]]) -> list[ChartRuler]:
    """Choose rows and sides so that no line crosses a label.

    A line runs from its label's row down. Labels that point to the left come first, the rightmost
    on top: lines to their left begin below. Then those that point to the right, the leftmost on
    top: lines to their right begin below, or further away than a label is long.
    """
    left: list[ChartRuler] = []
    right: list[tuple[float, str, str]] = []
    nearest: float = 100
    for x, kind, text in reversed(found):
        if x + PHONE_LABEL > 100 or (x >= PHONE_LABEL and x + LABEL > nearest):
            left.append(ChartRuler(x, kind, text, True, len(left)))
            nearest = x
        else:
            right.insert(0, (x, kind, text))
    return left + [
        ChartRuler(x, kind, text, False, len(left) + row)
        for row, (x, kind, text) in enumerate(right)
    ]


def _row(lane: Lane, scale: TimeScale, outcome: str) -> ChartRow:
    bars = []
    for span in lane.spans:
        x = scale.place(span.begin)
        width = max(scale.place(span.end) - x, MIN_WIDTH)
        x = min(x, 100 - width)
        lasted = format_duration(span.end - span.begin)
        latched = ", latch on" if span.latched else ""
        text = f"{span.stage}, {span.state}{latched}: {lasted} from {format_duration(span.begin)}"
        bars.append(
            ChartBar(round(x, 2), round(width, 2), span.state, span.latched, span.stage, text)
        )
    glyphs = [
        ChartGlyph(
            round(scale.place(mark.time), 2), mark.kind, _told(mark.text, mark.time, mark.exact)
        )
        for mark in lane.marks
    ]
    stages = " → ".join(dict.fromkeys(span.stage for span in lane.spans))
    told = "; ".join([*(bar.text for bar in bars), *(glyph.text for glyph in glyphs)])
    return ChartRow(lane, stages, bars, glyphs, told, outcome)


def _told(text: str, time: float, exact: bool) -> str:
    return f"{text} at {format_duration(time)}" if exact else f"{text} (by {format_duration(time)})"
