from __future__ import annotations

import pytest
from hypothesis import given

from seclatch.model.recording.merge_recordings import merge_recordings
from seclatch.model.recording.recording import Recording
from tests.unit.recordings import calls, recording, recordings


@given(a=recordings(), b=recordings(), c=recordings())
def test_merging_is_associative_and_commutative(a: Recording, b: Recording, c: Recording) -> None:
    whole = merge_recordings([a, b, c])
    assert merge_recordings([merge_recordings([a, b]), c]) == whole
    assert merge_recordings([a, merge_recordings([b, c])]) == whole
    assert merge_recordings([c, a, b]) == whole


@given(a=recordings())
def test_one_recording_keeps_every_count(a: Recording) -> None:
    merged = merge_recordings([a])
    assert merge_recordings([merged]) == merged
    assert sum(each.count for each in merged.calls) == sum(each.count for each in a.calls)
    values = [sum(each.count for each in one.denied_arguments) for one in (merged, a)]
    assert values[0] == values[1]
    assert sum(each.count for each in merged.denials) == sum(each.count for each in a.denials)


def test_runs_count_the_recordings_that_have_a_call() -> None:
    often = recording(calls("filtered-init", "read futex", 3))
    rarely = recording(calls("filtered-init", "read", 2) + calls("program", "futex", 2))
    merged = merge_recordings([often, rarely, rarely])
    assert merged.runs == 3
    assert {(each.stage, each.name): (each.count, each.runs) for each in merged.calls} == {
        ("filtered-init", "read"): (7, 3),
        ("filtered-init", "futex"): (3, 1),
        ("program", "futex"): (4, 2),
    }


def test_two_processes_of_one_recording_count_as_one_run() -> None:
    twice = recording(calls("program", "read") + calls("program", "read"))
    [merged] = merge_recordings([twice]).calls
    assert (merged.count, merged.runs) == (2, 1)


def test_merging_no_recordings_is_an_error() -> None:
    with pytest.raises(ValueError, match="nothing"):
        merge_recordings([])
