from __future__ import annotations

from msgspec.structs import replace

from seclatch.model.recording.recording import ReadyMark
from seclatch.report.document.process_history import make_histories
from seclatch.report.document.process_tree import MAX_NODES, list_nodes
from seclatch.report.timeline.lane_marks import MAX_MARKS
from seclatch.report.timeline.timeline_lanes import MAX_LANES, MAX_SHARED, choose_lanes
from tests.unit.report.starts import crowd, event, image, process, start


def test_the_chain_is_in_order_from_client_to_program() -> None:
    recording = start(latched=True)
    made = choose_lanes(recording, make_histories(recording))
    assert [(lane.stage, lane.title) for lane in made] == [
        ("client", "seclatch run"),
        ("runtime", "runc run box"),
        ("program", "app x"),
        ("program", "app x (fork)"),
    ]


def test_marks() -> None:
    recording = start(latched=True)
    program = choose_lanes(recording, make_histories(recording))[2]
    assert [(mark.kind, mark.time, mark.exact) for mark in program.marks] == [
        ("fork", 0.12, True),
        ("lifted", 0.13, True),
        ("filter", 0.20, True),
        ("exec", 0.21, True),
        ("released", 0.22, True),
        ("exit", 0.40, True),
        ("denied", 0.40, False),
    ]
    assert program.marks[-1].text == "denied: 2 mkdir"


def test_the_ready_mark_is_on_the_first_process_of_the_program() -> None:
    ready = ReadyMark(time=0.3, condition="listen:80")
    recording = replace(start(latched=True), ready=ready)
    marked = {
        lane.process: [(mark.time, mark.text) for mark in lane.marks if mark.kind == "ready"]
        for lane in choose_lanes(recording, make_histories(recording))
    }
    (session,) = recording.sessions
    assert marked.pop(session.process) == [(0.3, "ready (listen:80)")]
    assert not any(marked.values())


def test_a_denial_is_marked_at_its_time() -> None:
    """Only denials with a time: recordings of older recorders have none."""
    recording = start(latched=True)
    seen = event(0.25, "denial", 2, "program", filters=1, call="mkdir", errno=1)
    recording = replace(recording, events=[*recording.events, seen])
    marks = choose_lanes(recording, make_histories(recording))[2].marks
    assert [(mark.time, mark.text, mark.exact) for mark in marks if mark.kind == "denied"] == [
        (0.25, "denied: mkdir, the first of 2", True)
    ]


def test_filter_events_are_always_marked() -> None:
    recording = start(latched=True)
    execs = [event(0.3 + n / 1e5, "exec", 2, "program", filters=1) for n in range(5000)]
    recording = replace(recording, events=[*recording.events, *execs])
    marks = choose_lanes(recording, make_histories(recording))[2].marks
    assert len(marks) == MAX_MARKS
    assert {"filter", "lifted", "released", "denied", "exit"} < {mark.kind for mark in marks}


def test_an_unrelated_engine_of_the_machine_has_no_lane_of_its_own() -> None:
    recording = start(latched=True)
    daemons = [
        process(
            10 + n,
            None,
            0,
            0.5,
            found_running=True,
            images=[image(0.0, "engine", "/usr/sbin/dockerd", str(n))],
        )
        for n in range(3)
    ]
    made = [replace(each, process=10) for each in recording.calls]
    few = [replace(made[0], process=11, count=1)]
    recording = replace(
        recording,
        processes=[*recording.processes, *daemons],
        calls=[*recording.calls, *made, *few],
    )
    found = [
        each
        for each in choose_lanes(recording, make_histories(recording))
        if each.stage == "engine"
    ]
    assert [(each.process, each.count) for each in found] == [(10, 1), (None, 2)]


def test_the_container_s_program_is_named_after_its_last_exec() -> None:
    recording = start(latched=True)
    images = [*recording.processes[2].images, image(0.35, "program", "/bin/sleep", "9")]
    recording.processes[2] = replace(recording.processes[2], images=images)
    assert choose_lanes(recording, make_histories(recording))[2].title == "app → sleep 9"


def test_many_processes_share_a_lane_but_not_the_chain() -> None:
    recording = crowd(10_000)
    made = choose_lanes(recording, make_histories(recording))
    assert len(made) == MAX_LANES + 1
    assert {0, 1, 2} <= {lane.process for lane in made}
    [shared] = [lane for lane in made if lane.process is None]
    assert sum(lane.count for lane in made) == 10_004
    assert shared.count == 10_004 - MAX_LANES
    assert len(shared.spans) <= MAX_SHARED


def test_equal_children_are_one_node() -> None:
    recording = crowd(10_000, alike=True)
    nodes, left = list_nodes(recording, make_histories(recording))
    assert left == 0
    assert [(node.depth, node.count) for node in nodes] == [
        (0, 1),
        (1, 1),
        (2, 1),
        (3, 1),
        (3, 10_000),
    ]


def test_omitted_nodes_of_the_tree_are_counted() -> None:
    recording = crowd(1000)
    nodes, left = list_nodes(recording, make_histories(recording))
    assert len(nodes) == MAX_NODES
    assert left == 1004 - MAX_NODES


def test_a_cycle_in_the_tree() -> None:
    """A recording is a file, which may contain anything."""
    recording = start(latched=True)
    first = recording.processes[0]
    recording.processes[0] = type(first)(
        **{name: getattr(first, name) for name in first.__struct_fields__} | {"parent": 2}
    )
    made = make_histories(recording)
    assert choose_lanes(recording, made)
    assert list_nodes(recording, made)[1] == 4
