"""Counts before and after the ready mark, from traces made by hand."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from seclatch.errors import InputError
from seclatch.model.arch import Arch
from seclatch.model.recording.merge_recordings import merge_recordings
from seclatch.model.recording.recording import Recording
from seclatch.model.syscall import load_syscalls
from seclatch.recording.files.recording_file import decode_recording
from seclatch.recording.trace.ready_mark import mark_ready
from seclatch.recording.trace.run_metadata import RunMetadata
from seclatch.recording.trace.summarize_trace import summarize_trace
from seclatch.recording.trace.trace import Trace
from tests.unit.recording.traces import Story
from tests.unit.recordings import calls, recording

NUMBERS = load_syscalls(Arch.native()).numbers
BIND, READ, ACCEPT, SOCKET = (NUMBERS[name] for name in ("bind", "read", "accept4", "socket"))


def summarize(trace: Trace) -> Recording:
    run = RunMetadata(("server",), datetime.now(UTC), 0, 10**9, complete=False)
    return summarize_trace(trace, run)


def counts(made: Recording) -> dict[str, tuple[int, int]]:
    total: dict[str, tuple[int, int]] = {}
    for row in made.calls:
        count, running = total.get(row.name, (0, 0))
        total[row.name] = count + row.count, running + row.running
    return total


def server() -> tuple[Story, int]:
    story = Story()
    program = story.exec(story.root, "/bin/server")
    story.trace.segments[program].calls.clear()
    story.trace.segments[program].calls.update({(False, BIND): 1, (False, ACCEPT): 1})
    return story, program


def test_calls_count_for_the_phase_in_which_they_were_made() -> None:
    story, program = server()
    segment = story.trace.segments[program]
    segment.denied[False, SOCKET, 1] = 1
    segment.arguments[SOCKET, 0, 2] = 3
    mark_ready(story.trace, 500_000_000, "listen", [])
    segment.calls[False, READ] = 7
    segment.denied[False, SOCKET, 1] += 4
    segment.arguments[SOCKET, 0, 2] += 1
    made = summarize(story.trace)
    assert counts(made) == {"bind": (1, 0), "accept4": (1, 0), "read": (7, 7)}
    assert [(row.count, row.running) for row in made.denials] == [(5, 4)]
    assert [(row.count, row.running) for row in made.arguments] == [(4, 1)]
    assert made.ready is not None
    assert (made.ready.time, made.ready.condition) == (0.5, "listen")


def test_a_call_that_goes_on_at_the_mark_counts_for_the_running_phase() -> None:
    story, program = server()
    mark_ready(story.trace, 1, "listen", [(program, (False, ACCEPT))])
    assert counts(summarize(story.trace)) == {"bind": (1, 0), "accept4": (1, 1)}


def test_a_call_that_began_before_the_recording_counts_for_the_running_phase() -> None:
    """Of a container that is recorded while it runs; a second mark counts it no second time."""
    story, program = server()
    for time in (1, 2):
        mark_ready(story.trace, time, "listen", [(program, (False, READ))])
    assert counts(summarize(story.trace))["read"] == (1, 1)


def test_what_begins_after_the_mark_is_running_as_a_whole() -> None:
    story, program = server()
    mark_ready(story.trace, 1, "listen", [])
    child = story.fork(program)
    story.trace.segments[child].calls.clear()
    story.trace.segments[child].calls[False, READ] = 2
    assert counts(summarize(story.trace))["read"] == (2, 2)


def test_a_later_mark_replaces_an_earlier_one() -> None:
    story, program = server()
    mark_ready(story.trace, 1, "mark", [])
    story.trace.segments[program].calls[False, READ] = 2
    mark_ready(story.trace, 2, "mark", [])
    story.trace.segments[program].calls[False, READ] += 1
    assert counts(summarize(story.trace))["read"] == (3, 1)


def test_without_a_mark_there_is_one_phase() -> None:
    story, _ = server()
    made = summarize(story.trace)
    assert made.ready is None
    assert {running for _, running in counts(made).values()} == {0}


def test_old_recordings_are_of_one_phase() -> None:
    document = msgspec.to_builtins(recording(calls("program", "read bind")))
    del document["ready"]
    for row in document["calls"]:
        del row["running"]
    old = decode_recording("old", msgspec.json.encode(document))
    assert old.ready is None and {row.running for row in old.calls} == {0}


def test_more_in_a_phase_than_in_all_is_refused() -> None:
    wrong = recording(calls("program", "read", count=2, running=3))
    with pytest.raises(InputError, match="more than count"):
        decode_recording("wrong", msgspec.json.encode(wrong))


def test_merged_recordings_have_a_mark_if_each_has_one() -> None:
    story, program = server()
    mark_ready(story.trace, 1, "listen", [(program, (False, ACCEPT))])
    marked = summarize(story.trace)
    both = merge_recordings([marked, marked])
    assert both.ready is not None and both.ready.condition == "listen"
    assert counts(both) == {"bind": (2, 0), "accept4": (2, 2)}
    mixed = merge_recordings([marked, recording(calls("program", "read"))])
    assert mixed.ready is None
    assert {running for _, running in counts(mixed).values()} == {0}
