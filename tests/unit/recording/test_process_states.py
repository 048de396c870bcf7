from __future__ import annotations

from dataclasses import replace

from seclatch.recording.trace.process_states import ContextTable
from seclatch.recording.trace.trace import SeccompSuspension
from tests.unit.recording.traces import HOST, INSIDE, Story


def test_equal_states_share_a_number_and_changes_are_listed() -> None:
    story = Story()
    shell = story.exec(story.root, "sh")
    child = story.fork(shell)
    inside = replace(INSIDE, uid=7, seccomp=2, no_new_privs=True, capabilities=(0, 1, 2, 3, 4))
    loaded = story.load(child, inside)
    story.trace.suspensions.append(SeccompSuspension(loaded * 1000 + 1, loaded, 5, False))
    contexts = ContextTable(story.trace, float)
    processes = story.trace.processes
    first, second = (contexts.list_changes(processes[number]) for number in (0, 1))
    assert [moment.context for moment in first] == [0]  # the recorder's own child is not reported
    assert [moment.context for moment in second] == [0, 1]
    host, filtered = contexts.table
    assert (host.uid, host.filters, host.capabilities) == (HOST.uid, 0, None)
    assert (filtered.uid, filtered.filters, filtered.no_new_privs) == (7, 1, True)
    assert filtered.capabilities and filtered.capabilities.bounding == "0000000000000003"
    assert filtered.namespaces.mnt == INSIDE.mounts


def test_suspension_is_part_of_the_state() -> None:
    story = Story()
    program = story.exec(story.root, "x", facts=replace(HOST, suspended=True))
    story.trace.suspensions.append(SeccompSuspension(program * 1000 + 5, program, 9, False))
    contexts = ContextTable(story.trace, float)
    moments = contexts.list_changes(story.trace.processes[0])
    assert [contexts.table[moment.context].suspended for moment in moments] == [True, False]
    assert moments[1].thread == 9


def test_daemon_found_running_has_no_state() -> None:
    story = Story()
    story.found("/usr/sbin/dockerd")
    assert ContextTable(story.trace, float).list_changes(story.trace.processes[1]) == []
