"""The timeline as a trace: each span and moment of the report, in its lane, in microseconds."""

from __future__ import annotations

import json
from typing import Any

from seclatch.report.compose_report import compose_report
from seclatch.report.document.report_document import Report
from seclatch.report.perfetto_trace import write_trace
from tests.unit.report.starts import start


def make() -> tuple[Report, list[dict[str, Any]]]:
    report = compose_report(start(latched=True))
    document = json.loads(write_trace(report))
    assert document["displayTimeUnit"] == "ms"
    return report, document["traceEvents"]


def test_every_span_and_mark_is_there_once() -> None:
    report, events = make()
    lanes = report.timeline.lanes
    spans = [(e["pid"], e["ts"], e["dur"], e["cat"]) for e in events if e["ph"] == "X"]
    assert spans == [
        (number, span.begin * 1e6, (span.end - span.begin) * 1e6, span.stage)
        for number, lane in enumerate(lanes, 1)
        for span in lane.spans
    ]
    marks = [(e["pid"], e["ts"], e["name"]) for e in events if e["ph"] == "i"]
    assert marks == [
        (number, mark.time * 1e6, mark.text)
        for number, lane in enumerate(lanes, 1)
        for mark in lane.marks
    ]
    assert spans
    assert marks


def test_every_lane_has_a_name_and_keeps_its_order() -> None:
    report, events = make()
    names = {e["pid"]: e["args"]["name"] for e in events if e["name"] == "process_name"}
    order = {e["pid"]: e["args"]["sort_index"] for e in events if e["name"] == "process_sort_index"}
    assert list(names) == sorted(order, key=lambda pid: order[pid])
    for number, lane in enumerate(report.timeline.lanes, 1):
        assert names[number].startswith(f"{lane.stage}: {lane.title}")


def test_states_are_in_words() -> None:
    _, events = make()
    words = {event["name"] for event in events if event["ph"] == "X"}
    assert words == {"no filter", "filter suspended", "filter in force"}
