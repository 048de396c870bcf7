from __future__ import annotations

import msgspec

from seclatch.model.recording.process_context import ContextChange, ProcessContext
from seclatch.report.document.container_starts import list_starts
from seclatch.report.document.process_history import FILTERED, SUSPENDED, UNFILTERED, make_histories
from tests.unit.report.starts import crowd, event, process, start


def spans(recording, id: int) -> list[tuple[float, float, str, str]]:  # type: ignore[no-untyped-def]
    made = make_histories(recording)[id]
    return [(span.begin, span.end, span.stage, span.state) for span in made.spans]


def test_the_latch_suspends_between_the_filter_and_its_release() -> None:
    assert spans(start(latched=True), 2) == [
        (0.12, 0.13, "init", UNFILTERED),
        (0.13, 0.20, "init", UNFILTERED),
        (0.20, 0.21, "filtered-init", SUSPENDED),
        (0.21, 0.22, "program", SUSPENDED),
        (0.22, 0.40, "program", FILTERED),
    ]


def test_without_the_latch_the_filter_binds_when_it_is_loaded() -> None:
    assert spans(start(latched=False), 2) == [
        (0.12, 0.20, "init", UNFILTERED),
        (0.20, 0.21, "filtered-init", FILTERED),
        (0.21, 0.40, "program", FILTERED),
    ]


def test_a_child_inherits_its_parent_s_state() -> None:
    assert spans(start(latched=True), 3) == [(0.30, 0.31, "program", FILTERED)]
    recording = start(latched=True)
    events = sorted(
        [*recording.events, event(0.205, "fork", 3, "filtered-init", filters=1)],
        key=lambda each: each.time,
    )
    suspended = make_histories(
        type(recording)(
            **{
                **{name: getattr(recording, name) for name in recording.__struct_fields__},
                "events": [each for each in events if each.time != 0.30],
            }
        )
    )[3]
    assert suspended.spans[0].state == SUSPENDED


def test_every_life_is_covered_without_gaps() -> None:
    for history in make_histories(crowd(50)).values():
        assert history.spans[0].begin == history.begin
        assert history.spans[-1].end == history.end
        for left, right in zip(history.spans, history.spans[1:], strict=False):
            assert left.end == right.begin


def test_another_thread_s_filter_is_not_the_process() -> None:
    """runc loads the filter on one thread, and the others stay without."""
    recording = start(latched=False)
    for each in recording.events:
        if each.kind == "filter":
            recording.events[recording.events.index(each)] = event(
                each.time, "filter", 2, "filtered-init", filters=1, thread=999
            )
    assert (0.12, 0.21, "init", UNFILTERED) in spans(recording, 2)


def test_a_process_found_running_had_its_filter_before() -> None:
    recording = start(latched=False)
    found = msgspec.structs.replace(
        recording,
        processes=[process(2, None, 0.0, 0.5, found_running=True)],
        events=[event(0.001, "found", 2, "program", filters=1)],
    )
    assert [span.state for span in make_histories(found)[2].spans] == [FILTERED] * 2
    [one] = list_starts(found, make_histories(found))
    assert one.outcome == "found"
    assert one.headline == "The program ran already, under its filter."


def test_a_context_shows_a_fork_under_suspension() -> None:
    """A child of the latched init that the tracer let go of is not suspended, and shown so."""
    recording = start(latched=True)
    context = ProcessContext(uid=0, gid=0, euid=0, egid=0, seccomp=2, filters=1)
    born = process(3, 2, 0.205, 0.31, contexts=[ContextChange(time=0.205, thread=103, context=0)])
    events = [each for each in recording.events if each.process != 3]
    events.append(event(0.205, "fork", 3, "filtered-init", filters=1))
    events.sort(key=lambda each: each.time)
    processes = [*recording.processes[:3], born]
    seen = msgspec.structs.replace(
        recording, processes=processes, events=events, contexts=[context]
    )
    assert make_histories(seen)[3].spans[0].state == FILTERED
    unseen = msgspec.structs.replace(seen, contexts=[])
    assert make_histories(unseen)[3].spans[0].state == SUSPENDED
