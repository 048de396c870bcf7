"""A recording that a second recorder continued."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from seclatch.model.recording.continue_recording import continue_recording
from seclatch.model.recording.merge_recordings import merge_recordings
from seclatch.model.recording.process_context import ContextChange, ProcessContext
from seclatch.model.recording.recording import (
    RecordedCalls,
    RecordedContainer,
    RecordedEvent,
    RecordedProcess,
    RecordedSession,
    Recording,
)
from seclatch.recording.files.validate_recording import find_fault
from tests.unit.recordings import recording

CONTEXT = ProcessContext(uid=0, gid=0, euid=0, egid=0)


def part(started: str, counts: list[int], *, sessions: int = 1, found: bool = False) -> Recording:
    """Make a part with a process for each count, the sessions' first ones among them."""
    processes = [
        RecordedProcess(
            id=number,
            pid=100 + number,
            parent=number - 1 if number else None,
            session=min(number, sessions - 1),
            began=float(number),
            ended=None,
            status=None,
            found_running=found and number == 0,
            images=[],
            contexts=[ContextChange(time=float(number), thread=100 + number, context=0)],
        )
        for number in range(len(counts))
    ]
    rows = [
        RecordedCalls(
            process=number, stage="program", arch="x86_64", number=0, name="read", count=count
        )
        for number, count in enumerate(counts)
    ]
    return Recording(
        seclatch="1",
        complete=found,
        commands=[],
        started=started,
        duration=10.0,
        hosts=[],
        runtimes=[] if found else ["runc"],
        containers=[RecordedContainer(id=0, name="id")],
        sessions=[
            RecordedSession(id=number, container=0, joined=number > 0, process=number)
            for number in range(sessions)
        ],
        processes=processes,
        events=[RecordedEvent(time=1.0, kind="exec", process=0, thread=100, stage="program")],
        calls=rows,
        denials=[],
        arguments=[],
        contexts=[CONTEXT],
    )


BEFORE = "2026-01-01T00:00:00.000+00:00"
AFTER = "2026-01-01T00:00:30.000+00:00"


def test_numbers_and_times_are_those_of_the_whole() -> None:
    before = part(BEFORE, [1, 2], sessions=2)
    whole = continue_recording(before, part(AFTER, [4, 8, 16], sessions=3, found=True))
    assert [each.id for each in whole.processes] == [0, 1, 2, 3, 4]
    assert [each.parent for each in whole.processes] == [None, 0, None, 2, 3]
    # The later part's first session is the container's start, which the earlier part has.
    assert [each.session for each in whole.processes] == [0, 1, 0, 2, 3]
    assert [(each.id, each.joined, each.process) for each in whole.sessions] == [
        (0, False, 0),
        (1, True, 1),
        (2, True, 3),
        (3, True, 4),
    ]
    assert [each.contexts[0].context for each in whole.processes] == [0, 0, 1, 1, 1]
    assert [each.began for each in whole.processes] == [0.0, 1.0, 30.0, 31.0, 32.0]
    assert [(each.time, each.process) for each in whole.events] == [(1.0, 0), (31.0, 2)]
    assert [(each.process, each.count) for each in whole.calls] == [
        (0, 1),
        (1, 2),
        (2, 4),
        (3, 8),
        (4, 16),
    ]
    assert [(gap.began, gap.ended) for gap in whole.gaps] == [(10.0, 30.0)]
    assert (whole.duration, whole.complete, whole.runtimes) == (40.0, True, ["runc"])
    assert len(whole.containers) == 1
    assert find_fault(whole) is None


def test_a_clock_that_was_set_back_gives_no_negative_time() -> None:
    whole = continue_recording(part(AFTER, [1]), part(BEFORE, [1], found=True))
    assert [(gap.began, gap.ended) for gap in whole.gaps] == [(10.0, 10.0)]
    assert all(each.began >= 0 for each in whole.processes)


@given(parts=st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=4), min_size=2, max_size=4))
def test_no_count_is_lost_in_any_number_of_parts(parts: list[list[int]]) -> None:
    whole = part(BEFORE, parts[0])
    for number, counts in enumerate(parts[1:], 1):
        later = part(f"2026-01-01T00:0{number}:00.000+00:00", counts, found=True)
        whole = continue_recording(whole, later)
    assert len(whole.gaps) == len(parts) - 1
    total = sum(map(sum, parts))
    assert sum(row.count for row in whole.calls) == total
    assert [row.count for row in merge_recordings([whole]).calls] == [total]
    assert [each.id for each in whole.processes] == list(range(len(whole.processes)))


def test_nothing_was_written_before() -> None:
    empty = recording([], started=BEFORE, duration=0.0)
    whole = continue_recording(empty, part(AFTER, [3], found=True))
    assert [(gap.began, gap.ended) for gap in whole.gaps] == [(0.0, 30.0)]
    assert (len(whole.sessions), len(whole.containers)) == (1, 1)
