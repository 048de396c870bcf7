"""Stages assigned by facts, on traces like those of runc and crun."""

from __future__ import annotations

from seclatch.model.stage import Stage
from seclatch.recording.trace.assign_stages import assign_stages
from seclatch.recording.trace.trace import TaskFacts
from tests.unit.recording.traces import INSIDE, Story, filtered


def stages(story: Story) -> dict[int, Stage]:
    return assign_stages(story.trace).stages


def runc(
    story: Story, parent: int, facts: TaskFacts = INSIDE, verb: str = "run"
) -> tuple[int, list[int], int, int]:
    """Return (runtime, init segments, filtered-init, program) as runc makes them."""
    runtime = story.exec(parent, "/usr/sbin/runc", verb, "x")
    child = story.fork(runtime)
    init = story.exec(child, "runc", "init", file="/proc/self/exe")
    sealed = story.exec(init, "runc", "init", file="/dev/fd/6")
    first = story.fork(sealed)
    second = story.fork(first, TaskFacts(mounts=facts.mounts, pids=facts.pids, root=1, local_pid=1))
    load = story.load(second, facts)
    program = story.exec(load, "/bin/true", facts=filtered(facts))
    return runtime, [child, init, sealed, first, second], load, program


def test_runc() -> None:
    story = Story()
    runtime, inits, load, program = runc(story, story.root)
    below = story.fork(program, filtered())
    again = story.exec(below, "/bin/ls", facts=filtered())
    found = stages(story)
    assert found[runtime] is Stage.RUNTIME
    assert {found[segment] for segment in inits} == {Stage.INIT}
    assert found[load] is Stage.FILTERED_INIT
    assert {found[segment] for segment in (program, below, again)} == {Stage.PROGRAM}


def test_crun_forks_init_and_never_execs_it() -> None:
    story = Story()
    shell = story.exec(story.root, "/bin/sh", "-c", "crun run x")
    runtime = story.exec(story.fork(shell), "/usr/bin/crun", "run", "x")
    init = story.fork(runtime, TaskFacts(mounts=2, pids=2, root=1, local_pid=1))
    load = story.load(init)
    program = story.exec(load, "/bin/true", facts=filtered())
    found = stages(story)
    assert [found[segment] for segment in (shell, runtime, init, load, program)] == [
        Stage.CLIENT,
        Stage.RUNTIME,
        Stage.INIT,
        Stage.FILTERED_INIT,
        Stage.PROGRAM,
    ]


def test_the_latch_is_of_the_runtime_stage() -> None:
    story = Story()
    front = story.exec(story.root, "/opt/seclatch-runc", "run", "x")
    tracer = story.fork(front)
    runc(story, front)
    found = stages(story)
    assert {found[front], found[tracer]} == {Stage.RUNTIME}


def test_exec_inside_without_a_filter_is_program() -> None:
    story = Story()
    runtime = story.exec(story.root, "/usr/bin/crun", "run", "x")
    init = story.fork(runtime, INSIDE)
    program = story.exec(init, "/bin/true", facts=INSIDE)
    found = stages(story)
    assert [found[runtime], found[init], found[program]] == [
        Stage.RUNTIME,
        Stage.INIT,
        Stage.PROGRAM,
    ]


def test_hooks() -> None:
    story = Story()
    runtime = story.exec(story.root, "/usr/bin/crun", "run", "x")
    host_hook = story.exec(story.fork(runtime), "/bin/hook")
    init = story.fork(runtime, INSIDE)
    inner_hook = story.exec(story.fork(init, INSIDE), "/bin/hook", facts=INSIDE)
    load = story.load(init)
    late = story.fork(load, filtered())
    late_hook = story.exec(late, "/bin/hook", facts=filtered())
    program = story.exec(load, "/bin/true", facts=filtered())
    staging = assign_stages(story.trace)
    found = staging.stages
    assert {found[segment] for segment in (host_hook, inner_hook, late_hook)} == {Stage.HOOK}
    assert (found[late], found[program]) == (Stage.FILTERED_INIT, Stage.PROGRAM)
    assert len(staging.sessions) == 1


def test_nested_container_is_program() -> None:
    story = Story()
    *_, program = runc(story, story.root)
    inner = TaskFacts(mounts=3, pids=3, root=3, local_pid=1)
    runtime, inits, load, true = runc(story, story.fork(program, filtered()), inner)
    staging = assign_stages(story.trace)
    assert {staging.stages[segment] for segment in (runtime, *inits, load, true)} == {Stage.PROGRAM}
    assert len(staging.sessions) == 1


def test_unshared_mounts_alone_are_no_container() -> None:
    story = Story()
    unshare = story.exec(story.root, "unshare", "-m", "sh")
    shell = story.exec(unshare, "sh", facts=TaskFacts(mounts=9, pids=1, root=1))
    assert stages(story)[shell] is Stage.PROGRAM


def test_sandboxed_child_without_exec_keeps_its_stage() -> None:
    story = Story()
    browser = story.exec(story.root, "/bin/browser")
    child = story.load(story.fork(browser), TaskFacts(mounts=1, pids=1, root=1))
    assert stages(story)[child] is Stage.PROGRAM


def test_sessions_of_one_container() -> None:
    story = Story()
    shell = story.exec(story.root, "/bin/sh")
    runc(story, story.fork(shell))
    later = TaskFacts(mounts=2, pids=2, root=2, local_pid=7)
    runc(story, story.fork(shell), later, "exec")
    runc(story, story.fork(shell), TaskFacts(mounts=5, pids=5, root=5, local_pid=1))
    sessions = assign_stages(story.trace).sessions
    assert [(session.container, session.joined) for session in sessions] == [
        (0, False),
        (0, True),
        (1, False),
    ]


def test_reused_namespace_number_is_a_new_container() -> None:
    story = Story()
    shell = story.exec(story.root, "/bin/sh")
    runc(story, story.fork(shell))
    runc(story, story.fork(shell))
    sessions = assign_stages(story.trace).sessions
    assert [(session.container, session.joined) for session in sessions] == [(0, False), (1, False)]


def test_clients_engines_and_shims_by_name() -> None:
    story = Story()
    docker = story.exec(story.root, "/usr/bin/docker", "run")
    engine = story.found("/usr/sbin/dockerd")
    shim = story.exec(story.fork(engine), "/usr/bin/containerd-shim-runc-v2", "-id", "x")
    runtime, *_ = runc(story, story.fork(shim))
    found = stages(story)
    assert [found[segment] for segment in (docker, engine, shim, runtime)] == [
        Stage.CLIENT,
        Stage.ENGINE,
        Stage.SHIM,
        Stage.RUNTIME,
    ]


def test_running_container_is_program_and_sessions_have_stages() -> None:
    story = Story()
    member = story.member("/bin/sh")
    child = story.exec(story.fork(member, INSIDE), "/bin/ls", facts=INSIDE)
    init = story.joined()
    filtered_init = story.load(init)
    program = story.exec(filtered_init, "/bin/id", facts=filtered())
    staging = assign_stages(story.trace)
    assert [
        staging.stages[segment] for segment in (member, child, init, filtered_init, program)
    ] == [
        Stage.PROGRAM,
        Stage.PROGRAM,
        Stage.INIT,
        Stage.FILTERED_INIT,
        Stage.PROGRAM,
    ]
    assert [(session.container, session.joined) for session in staging.sessions] == [
        (0, False),
        (0, True),
    ]


def test_nested_container_of_a_running_container_is_program() -> None:
    story = Story()
    member = story.member("/bin/dockerd")
    runc = story.exec(story.fork(member, INSIDE), "/bin/runc", "run", "x", facts=INSIDE)
    deeper = TaskFacts(mounts=3, pids=3, users=1, root=3, local_pid=1)
    init = story.exec(story.fork(runc, deeper), "/bin/sh", facts=deeper)
    staging = assign_stages(story.trace)
    assert {staging.stages[segment] for segment in (member, runc, init)} == {Stage.PROGRAM}
    assert len(staging.sessions) == 1


def test_init_waiting_for_start_is_not_program() -> None:
    story = Story()
    init = story.joined("/memfd:runc_cloned:/proc/self/exe (deleted)", facts=filtered())
    program = story.exec(init, "/bin/sh", facts=filtered())
    staging = assign_stages(story.trace)
    assert (staging.stages[init], staging.stages[program]) == (Stage.FILTERED_INIT, Stage.PROGRAM)
    assert [session.joined for session in staging.sessions] == [False]


def test_process_that_entered_without_a_fork_is_program() -> None:
    story = Story()
    story.member("/bin/sh")
    entered = story.exec(0, "/bin/ls", facts=INSIDE)
    assert assign_stages(story.trace).stages[entered] is Stage.PROGRAM


def test_container_start_in_its_pod_s_pid_namespace() -> None:
    """Its first process is not pid 1; only the verb distinguishes it from an exec session."""
    shared = TaskFacts(mounts=2, pids=2, root=1, local_pid=7)
    for verb, joined in (("create", False), ("exec", True)):
        story = Story()
        runtime = story.exec(story.root, "/usr/sbin/runc", verb, "run")
        load = story.load(story.fork(runtime, shared), filtered(shared))
        story.exec(load, "/bin/true", facts=filtered(shared))
        assert [session.joined for session in assign_stages(story.trace).sessions] == [joined]
