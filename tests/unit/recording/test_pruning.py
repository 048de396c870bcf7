"""Finished processes that do not belong to the command are dropped."""

from __future__ import annotations

import pytest

from seclatch.recording.attribution import pruning
from seclatch.recording.attribution.attribution import find_related
from seclatch.recording.attribution.pruning import TracePruner, find_unrelated
from seclatch.recording.trace.trace import UNIT, FirstDenial, SeccompSuspension, Trace
from tests.unit.recording.test_attribution import ID, OTHER, shim
from tests.unit.recording.traces import Story

LONG_AGO, LATER = 1, 1 << 62


def started() -> tuple[Story, set[int], set[int], int]:
    """Return a client, its container's processes, another container's, and the daemon's segment."""
    story = Story()
    client = story.exec(story.root, "docker", "run")
    daemon = story.found("/bin/dockerd")
    story.says(client, f"POST /v1.45/containers/{ID}/start HTTP/1.1".encode())
    return story, shim(story, daemon, ID), shim(story, daemon, OTHER), daemon


def end(trace: Trace, *processes: int, time: int = 2) -> None:
    for number in processes:
        trace.end(trace.processes[number].segments[0], time, 0)
        for segment in trace.processes[number].segments:
            trace.close(segment)


def test_ended_unrelated_processes_are_dropped() -> None:
    story, ours, unrelated, daemon = started()
    trace = story.trace
    end(trace, *ours, *unrelated)
    others = trace.processes.keys() - unrelated
    trace.drop(find_unrelated(trace, LATER))
    assert trace.processes.keys() == others
    assert {each.process for each in trace.segments.values()} == others
    assert ours <= find_related(trace)
    assert trace.segments[daemon].process in find_related(trace)
    assert trace.bulk == len(trace.segments)


def test_living_process_is_kept_with_its_ancestors() -> None:
    story, _, unrelated, _ = started()
    trace = story.trace
    start, server, runtime = sorted(unrelated)
    end(trace, start, runtime)
    assert find_unrelated(trace, LATER) == [runtime]
    end(trace, server)
    assert find_unrelated(trace, LATER) == [runtime, server, start]


def test_process_that_just_ended_is_kept() -> None:
    story, _, unrelated, _ = started()
    end(story.trace, *unrelated)
    assert find_unrelated(story.trace, LONG_AGO) == []


def test_process_with_an_open_segment_is_kept() -> None:
    story, _, unrelated, _ = started()
    for number in unrelated:
        story.trace.end(story.trace.processes[number].segments[0], 2, 0)
    assert find_unrelated(story.trace, LATER) == []


def test_late_child_of_a_dropped_process_is_dropped() -> None:
    story, _, unrelated, _ = started()
    trace = story.trace
    last = max(trace.segments)
    end(trace, *unrelated)
    trace.drop(find_unrelated(trace, LATER))
    late = story.exec(story.fork(last), "late")
    assert late in trace.dropped
    assert late not in trace.segments
    begun = trace.begun
    assert trace.segments[story.fork(story.root)].process == begun


def test_dropping_reduces_the_bulk() -> None:
    story, _, unrelated, _ = started()
    trace = story.trace
    segment = max(trace.segments)
    before = trace.bulk
    trace.segments[segment].calls.update({(False, number): 1 for number in range(2 * UNIT)})
    trace.denials.append(FirstDenial(3, segment, 1, (False, 1), 1))
    trace.suspensions.append(SeccompSuspension(3, segment, 1, lifted=True))
    trace.bulk += 2
    end(trace, *unrelated)
    assert trace.bulk == before + 4
    trace.drop(find_unrelated(trace, LATER))
    assert trace.bulk == len(trace.segments)
    assert trace.denials == trace.suspensions == []


def test_small_trace_is_not_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    story, _, unrelated, _ = started()
    end(story.trace, *unrelated)
    pruner = TracePruner()
    pruner.update(story.trace)
    assert unrelated <= story.trace.processes.keys()
    monkeypatch.setattr(pruning, "_MIN_GROWTH", 1)
    pruner.update(story.trace)
    assert not unrelated & story.trace.processes.keys()
