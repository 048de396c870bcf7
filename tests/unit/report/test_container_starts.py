from __future__ import annotations

import msgspec

from seclatch.model.recording.recording import Recording
from seclatch.report.document.container_starts import list_starts
from seclatch.report.document.process_history import make_histories
from seclatch.report.document.report_document import Start
from tests.unit.report.starts import start


def find_start(recording: Recording) -> Start:
    [only] = list_starts(recording, make_histories(recording))
    return only


def test_latched() -> None:
    one = find_start(start(latched=True))
    assert one.outcome == "latched"
    assert (one.loaded, one.executed, one.binds) == (0.20, 0.21, 0.22)
    assert one.headline == (
        "The filter binds app from its first instruction. Nothing of runc was under it."
    )
    assert [(part.state, part.begins) for part in one.sections] == [
        ("unfiltered", False),
        ("suspended", False),
        ("filtered", True),
    ]
    assert [part.calls for part in one.sections] == [0, 3, 2 * 1234 + 2]
    assert one.sections[-1].denied == ["mkdir"]
    assert one.only_runtime == ["capset", "execve"]


def test_a_plain_runtime_is_first_under_the_filter() -> None:
    one = find_start(start(latched=False))
    assert one.outcome == "bound-runtime"
    assert one.loaded == one.binds == 0.20
    assert "inside runc, 3 calls before app" in one.headline
    assert [(part.state, part.begins) for part in one.sections] == [
        ("unfiltered", False),
        ("filtered", True),
        ("filtered", False),
    ]


def test_a_plain_runtime_whose_needed_calls_are_denied() -> None:
    one = find_start(start(latched=False, refused=True))
    assert one.outcome == "refused"
    assert one.executed is None
    assert one.headline == (
        "The filter took hold inside runc and denied it close, fstatfs. The program never started."
    )
    assert one.status == 256
    assert len(one.sections) == 2


def test_a_container_without_a_filter() -> None:
    recording = start(latched=False)
    bare = [
        msgspec.structs.replace(each, filters=0)
        for each in recording.events
        if each.kind != "filter"
    ]
    one = find_start(msgspec.structs.replace(recording, events=bare))
    assert one.outcome == "unfiltered"
    assert one.headline == "No filter was loaded: app runs without one."
    assert not any(part.begins for part in one.sections)


def test_a_latch_that_was_never_released_binds_nothing() -> None:
    recording = start(latched=True)
    kept = [each for each in recording.events if each.kind != "released"]
    assert find_start(msgspec.structs.replace(recording, events=kept)).binds is None


def test_a_session_whose_process_is_missing_is_left_out() -> None:
    recording = msgspec.structs.replace(start(latched=True), processes=[], events=[])
    assert list_starts(recording, make_histories(recording)) == []
