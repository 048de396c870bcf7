"""Who only names the watched container, and who brings something into it."""

from __future__ import annotations

from dataclasses import replace

from seclatch.recording.attribution.exec_sessions import ExecSessions
from seclatch.recording.trace.assign_stages import assign_stages
from tests.unit.recording.traces import HOST, INSIDE, Story


def stages(story: Story) -> dict[int, str]:
    return {number: stage.value for number, stage in assign_stages(story.trace).stages.items()}


def foreign(story: Story, callers: ExecSessions) -> set[int]:
    callers.update(story.trace)
    return {
        each.id
        for each in story.trace.segments.values()
        if each.process in callers.find_unrelated(story.trace)
    }


def test_a_runtime_that_enters_is_kept_with_all_that_called_it() -> None:
    story, callers = Story(), ExecSessions(mounts=2)
    story.member("/bin/sleep")
    wrapper = story.exec(0, "sudo", "crun", "exec", "web", "true")
    assert foreign(story, callers) == {wrapper}
    runtime = story.exec(story.fork(wrapper), "/usr/bin/crun", "exec", "web", "true")
    init = story.fork(runtime, INSIDE)
    program = story.exec(story.load(init), "/bin/true", facts=INSIDE)
    assert foreign(story, callers) == set()
    assert [stages(story)[each] for each in (wrapper, runtime, init, program)] == [
        "client",
        "runtime",
        "init",
        "program",
    ]


def test_who_only_names_it_is_not() -> None:
    story, callers = Story(), ExecSessions(mounts=2)
    story.member("/bin/sleep")
    logs = story.exec(0, "/usr/bin/docker", "logs", "web")
    child = story.fork(logs)
    runtime = story.exec(story.exec(0, "sh", "web"), "/usr/bin/crun", "exec", "web", "true")
    story.exec(story.fork(story.fork(runtime), INSIDE), "/bin/true", facts=INSIDE)
    shell = story.exec(0, "sh", "web")
    assert foreign(story, callers) == {logs, child, shell}


def test_the_runtime_s_further_work_is_kept() -> None:
    story, callers = Story(), ExecSessions(mounts=2)
    story.member("/bin/sleep")
    runtime = story.exec(0, "/usr/bin/runc", "exec", "web", "true")
    again = story.exec(story.fork(runtime), "/proc/self/exe", "init")
    story.exec(story.fork(again, INSIDE), "/bin/true", facts=INSIDE)
    delete = story.exec(0, "/usr/bin/runc", "delete", "web")
    assert foreign(story, callers) == set()
    assert stages(story)[delete] == "runtime"


def test_so_is_that_of_a_front() -> None:
    story, callers = Story(), ExecSessions(mounts=2)
    story.member("/bin/sleep")
    front = story.exec(0, "/lib/seclatch/crun", "exec", "web", "true")
    runtime = story.exec(front, "/usr/bin/crun", "exec", "web", "true")
    story.exec(story.fork(runtime, INSIDE), "/bin/true", facts=INSIDE)
    front = story.exec(0, "/lib/seclatch/crun", "delete", "web")
    runtime = story.exec(front, "/usr/bin/crun", "delete", "web")
    itself = story.exec(runtime, "/dev/fd/3", "delete", "web")
    assert foreign(story, callers) == set()
    assert [stages(story)[each] for each in (front, runtime, itself)] == ["runtime"] * 3


def test_who_is_inside_at_once_is_no_caller() -> None:
    story, callers = Story(), ExecSessions(mounts=2)
    story.member("/bin/sleep")
    inside = story.exec(0, "/bin/ls", facts=INSIDE)
    assert foreign(story, callers) == set()
    assert stages(story)[inside] == "program"


def test_by_process_ids_where_the_container_has_no_mounts_of_its_own() -> None:
    story, callers = Story(), ExecSessions(pids=2)
    other = story.exec(0, "/usr/bin/crun", "exec", "web", "true", facts=HOST)
    assert foreign(story, callers) == {other}
    story.fork(other, INSIDE)
    assert foreign(story, callers) == set()


def test_who_shares_the_process_ids_alone_is_a_stranger() -> None:
    story, callers = Story(), ExecSessions(mounts=2)
    story.member("/bin/sleep")
    shared = replace(HOST, pids=2)
    stranger = story.joined(facts=shared)
    shell = story.exec(stranger, "/bin/sh", facts=shared)
    child = story.fork(shell, shared)
    session = story.joined(facts=shared)
    assert foreign(story, callers) == {stranger, shell, child, session}
    story.exec(session, "/bin/true", facts=INSIDE)
    assert foreign(story, callers) == {stranger, shell, child}
