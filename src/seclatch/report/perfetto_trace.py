"""A report's timeline in the Trace Event Format, which Perfetto and chrome://tracing open.

The format ("Trace Event Format", Google, 2016): an object with `traceEvents`, times in µs; `X` is
a span, `i` a moment, `M` a name. Each lane is a process of its own in the viewer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from seclatch.report.document.report_document import Lane, Report

_MICROSECONDS = 1e6

_STATES = {
    "unfiltered": "no filter",
    "suspended": "filter suspended",
    "filtered": "filter in force",
}


def write_trace(report: Report) -> bytes:
    """Return the JSON document."""
    events = [
        event
        for number, lane in enumerate(report.timeline.lanes, start=1)
        for event in _list_events(lane, number)
    ]
    document = {
        "displayTimeUnit": "ms",
        "otherData": {"producer": f"seclatch {report.seclatch}"},
        "traceEvents": events,
    }
    return msgspec.json.encode(document) + b"\n"


def _list_events(lane: Lane, number: int) -> Iterator[dict[str, Any]]:
    """Yield the events of a lane; `number` keeps the lanes in their order.

    The kernel's pid may come again in a long recording, so it stands in the name only.
    """
    ids = {"pid": number, "tid": number}
    title = f"{lane.title} [{lane.pid}]" if lane.pid is not None else f"{lane.title} ({lane.count})"
    yield {"ph": "M", "name": "process_name", "args": {"name": f"{lane.stage}: {title}"}, **ids}
    yield {"ph": "M", "name": "process_sort_index", "args": {"sort_index": number}, **ids}
    for span in lane.spans:
        yield {
            "ph": "X",
            "name": _STATES[span.state],
            "cat": span.stage,
            "ts": span.begin * _MICROSECONDS,
            "dur": (span.end - span.begin) * _MICROSECONDS,
            "args": {"stage": span.stage, "state": span.state, "latched": span.latched},
            **ids,
        }
    for mark in lane.marks:
        yield {
            "ph": "i",
            "s": "t",  # drawn in its own lane only
            "name": mark.text,
            "cat": mark.kind,
            "ts": mark.time * _MICROSECONDS,
            "args": {"kind": mark.kind, "exact": mark.exact},
            **ids,
        }
