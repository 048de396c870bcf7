"""What is marked on a process' lane: its events, its end, and what was denied to it. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from seclatch.report.document.process_history import ProcessHistory
from seclatch.report.document.process_names import describe_ending
from seclatch.report.document.report_document import Mark

MAX_MARKS = 40
"""Marks of a lane at most: what happened to its filters, denials and the end before all else."""


def make_marks(history: ProcessHistory, denied: dict[str, dict[str, int]]) -> list[Mark]:
    """Make them, in the order of time; `denied` has the counts by stage and name."""
    images = {image.time: image for image in history.process.images}
    texts = {
        "fork": "forked",
        "found": "ran already",
        "joined": "joined the container",
        "filter": "filter loaded",
        "lifted": "latch on: filters are suspended",
        "released": "latch released: filters are in force",
        "exit": describe_ending(history.process.status),
    }
    found = []
    for event in history.events:
        if event.kind == "exec":
            image = images.get(event.time)
            found.append(
                Mark(time=event.time, kind="exec", text=f"exec {image.exe}" if image else "exec")
            )
        elif event.kind in texts:
            found.append(Mark(time=event.time, kind=event.kind, text=texts[event.kind]))
    found += _denied_marks(history, denied)
    found.sort(key=lambda mark: (mark.kind in ("fork", "exec"), mark.time))
    return sorted(found[:MAX_MARKS], key=lambda mark: mark.time)


def _denied_marks(history: ProcessHistory, denied: dict[str, dict[str, int]]) -> Iterator[Mark]:
    """Each first denial at its moment; what has none (another recorder's) at its stage's end."""
    seen: set[tuple[str, str]] = set()
    for event in history.events:
        count = denied.get(event.stage, {}).get(event.call, 0)
        if event.kind == "denial" and count:
            first = (event.stage, event.call) not in seen
            seen.add((event.stage, event.call))
            times = f", the first of {count:,}" if first and count > 1 else ""
            yield Mark(time=event.time, kind="denied", text=f"denied: {event.call}{times}")
    for stage, names in denied.items():
        rest = sorted((name, count) for name, count in names.items() if (stage, name) not in seen)
        if rest:
            ends = [span.end for span in history.spans if span.stage == stage]
            text = "denied: " + ", ".join(f"{count} {name}" for name, count in rest)
            yield Mark(time=max(ends, default=history.end), kind="denied", text=text, exact=False)
