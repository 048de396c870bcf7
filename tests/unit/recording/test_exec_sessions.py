"""Processes that only name the recorded container, and runtimes of its exec sessions."""

from __future__ import annotations

from dataclasses import replace

from seclatch.recording.attribution.exec_sessions import ExecSessions
from seclatch.recording.trace.assign_stages import assign_stages
from tests.unit.recording.traces import HOST, INSIDE, Story


def stages(story: Story) -> dict[int, str]:
    return {number: stage.value for number, stage in assign_stages(story.trace).stages.items()}


def unrelated(story: Story, sessions: ExecSessions) -> set[int]:
    sessions.update(story.trace)
    return {
        each.id
        for each in story.trace.segments.values()
        if each.process in sessions.find_unrelated(story.trace)
    }


def test_runtime_that_enters_is_kept_with_its_ancestors() -> None:
    story, sessions = Story(), ExecSessions(mounts=2)
    story.member("/bin/sleep")
    wrapper = story.exec(0, "sudo", "crun", "exec", "web", "true")
    assert unrelated(story, sessions) == {wrapper}
    runtime = story.exec(story.fork(wrapper), "/usr/bin/crun", "exec", "web", "true")
    init = story.fork(runtime, INSIDE)
    program = story.exec(story.load(init), "/bin/true", facts=INSIDE)
    assert unrelated(story, sessions) == set()
    assert [stages(story)[segment] for segment in (wrapper, runtime, init, program)] == [
        "client",
        "runtime",
        "init",
        "program",
    ]


def test_process_that_only_names_the_container_is_unrelated() -> None:
    story, sessions = Story(), ExecSessions(mounts=2)
    story.member("/bin/sleep")
    logs = story.exec(0, "/usr/bin/docker", "logs", "web")
    child = story.fork(logs)
    runtime = story.exec(story.exec(0, "sh", "web"), "/usr/bin/crun", "exec", "web", "true")
    story.exec(story.fork(story.fork(runtime), INSIDE), "/bin/true", facts=INSIDE)
    shell = story.exec(0, "sh", "web")
    assert unrelated(story, sessions) == {logs, child, shell}


def test_other_calls_of_the_runtime_are_kept() -> None:
    story, sessions = Story(), ExecSessions(mounts=2)
    story.member("/bin/sleep")
    runtime = story.exec(0, "/usr/bin/runc", "exec", "web", "true")
    again = story.exec(story.fork(runtime), "/proc/self/exe", "init")
    story.exec(story.fork(again, INSIDE), "/bin/true", facts=INSIDE)
    delete = story.exec(0, "/usr/bin/runc", "delete", "web")
    assert unrelated(story, sessions) == set()
    assert stages(story)[delete] == "runtime"


def test_other_calls_of_a_front_are_kept() -> None:
    story, sessions = Story(), ExecSessions(mounts=2)
    story.member("/bin/sleep")
    front = story.exec(0, "/lib/seclatch/crun", "exec", "web", "true")
    runtime = story.exec(front, "/usr/bin/crun", "exec", "web", "true")
    story.exec(story.fork(runtime, INSIDE), "/bin/true", facts=INSIDE)
    front = story.exec(0, "/lib/seclatch/crun", "delete", "web")
    runtime = story.exec(front, "/usr/bin/crun", "delete", "web")
    itself = story.exec(runtime, "/dev/fd/3", "delete", "web")
    assert unrelated(story, sessions) == set()
    assert [stages(story)[segment] for segment in (front, runtime, itself)] == ["runtime"] * 3


def test_process_inside_at_its_exec_is_no_caller() -> None:
    story, sessions = Story(), ExecSessions(mounts=2)
    story.member("/bin/sleep")
    inside = story.exec(0, "/bin/ls", facts=INSIDE)
    assert unrelated(story, sessions) == set()
    assert stages(story)[inside] == "program"


def test_container_identified_by_its_pid_namespace() -> None:
    story, sessions = Story(), ExecSessions(pids=2)
    other = story.exec(0, "/usr/bin/crun", "exec", "web", "true", facts=HOST)
    assert unrelated(story, sessions) == {other}
    story.fork(other, INSIDE)
    assert unrelated(story, sessions) == set()


def test_process_in_the_pid_namespace_alone_is_unrelated() -> None:
    story, sessions = Story(), ExecSessions(mounts=2)
    story.member("/bin/sleep")
    shared = replace(HOST, pids=2)
    bystander = story.joined(facts=shared)
    shell = story.exec(bystander, "/bin/sh", facts=shared)
    child = story.fork(shell, shared)
    session = story.joined(facts=shared)
    assert unrelated(story, sessions) == {bystander, shell, child, session}
    story.exec(session, "/bin/true", facts=INSIDE)
    assert unrelated(story, sessions) == {bystander, shell, child}
