"""Stages and sessions, by runtime, way of starting, latch, namespaces."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.latch.oci import Bundle, Runtime, case, running
from tests.record.conftest import Record
from tests.record.test_counts import allow_most

pytestmark = pytest.mark.root
MakeBundle = Callable[..., Bundle]

STATIC_TRUE = {"arch_prctl", "brk", "exit_group", "getrandom", "getuid", "mprotect", "prctl",
               "prlimit64", "readlinkat", "rseq", "set_robust_list", "set_tid_address"}  # fmt: skip


@pytest.mark.parametrize("front", ["plain", "latched"])
def test_a_run(
    record: Record, plain: Runtime, latched: Runtime, bundle: MakeBundle,
    no_new_privileges: bool, front: str,
) -> None:  # fmt: skip
    runtime = latched if front == "latched" else plain
    made = bundle(["/bin/exit42"], seccomp=allow_most(), no_new_privileges=no_new_privileges)
    done = record(runtime.argv("run", "--bundle", made.path, made.id), check=False)
    assert done.done.returncode == 42
    assert done.calls("program") == {"exit_group": 1}
    filtered = done.calls("filtered-init")
    assert filtered["execve"] == 1
    if plain.name == "crun" and no_new_privileges:
        assert set(filtered) <= {"close", "close_range", "execve"}
    assert done.recording.runtimes == [plain.name]
    assert [each.name for each in done.recording.containers] == [made.id]
    assert [each.joined for each in done.recording.sessions] == [False]
    kinds = [each.kind for each in done.recording.events if each.stage == "program"]
    assert kinds == (["exec", "released", "exit"] if front == "latched" else ["exec", "exit"])
    exits = [each.status for each in done.recording.processes if each.session == 0]
    assert 42 << 8 in exits


def test_create_and_start(
    record: Record, plain: Runtime, bundle: MakeBundle, no_new_privileges: bool
) -> None:
    made = bundle(["/bin/true"], seccomp=allow_most(), no_new_privileges=no_new_privileges)
    create = plain.argv("create", "--bundle", made.path, made.id)
    start = plain.argv("start", made.id)
    words = len(create)
    script = f'"${{@:1:{words}}}" > /dev/null < /dev/null; "${{@:{words + 1}}}"'
    done = record(["bash", "-c", script, "bash", *create, *start])
    plain("delete", "--force", made.id)
    assert set(done.calls("program")) == STATIC_TRUE
    assert done.stages()["runtime"] > 100
    argv = [image.argv for each in done.recording.processes for image in each.images
            if image.stage == "runtime"]  # fmt: skip
    assert any("create" in words for words in argv)
    assert any("start" in words for words in argv)


def test_an_exec_session_under_the_latch(
    record: Record, latched: Runtime, bundle: MakeBundle
) -> None:
    made = bundle(["/bin/sleep", "100"], seccomp=allow_most())
    with running(latched, made):
        done = record(latched.argv("exec", made.id, "/bin/exit42"), check=False)
    assert done.done.returncode == 42
    assert done.calls("program") == {"exit_group": 1}
    assert [each.joined for each in done.recording.sessions] == [True]


def test_a_container_without_a_filter(record: Record, plain: Runtime, bundle: MakeBundle) -> None:
    made = bundle(["/bin/exit42"], seccomp=None)
    done = record(plain.argv("run", "--bundle", made.path, made.id), check=False)
    assert done.calls("program") == {"exit_group": 1}
    assert "filtered-init" not in done.stages()


def test_a_user_namespace(record: Record, latched: Runtime, bundle: MakeBundle) -> None:
    made = bundle(["/bin/exit42"], seccomp=allow_most())
    linux = made.config["linux"]
    linux["namespaces"].append({"type": "user"})
    for mapping in ("uidMappings", "gidMappings"):
        linux[mapping] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    made.write()
    done = record(latched.argv("run", "--bundle", made.path, made.id), check=False)
    assert (done.done.returncode, done.calls("program")) == (42, {"exit_group": 1})
    [container] = done.recording.containers
    assert container.user_namespace != 0
    uids = [image.uid for each in done.recording.processes for image in each.images
            if image.stage == "program"]  # fmt: skip
    assert uids == [100000]


def test_several_containers_at_once(record: Record, plain: Runtime, bundle: MakeBundle) -> None:
    made = [bundle(["/bin/sh", "-c", f"exit {n}"], seccomp=allow_most()) for n in range(3)]
    runs = " & ".join(
        " ".join(f"'{word}'" for word in plain.argv("run", "--bundle", each.path, each.id))
        for each in made
    )
    done = record(["sh", "-c", f"{runs} & wait"])
    recording = done.recording
    assert sorted(each.container for each in recording.sessions) == [0, 1, 2]
    assert {each.name for each in recording.containers} == {each.id for each in made}
    statuses = {
        each.session: each.status
        for each in recording.processes
        if any(image.stage == "program" for image in each.images)
    }
    assert sorted(statuses.values(), key=str) == [0, 256, 512]


def test_hooks_are_not_the_program(record: Record, plain: Runtime, bundle: MakeBundle) -> None:
    made = bundle(["/bin/exit42"], seccomp=allow_most())
    made.config["hooks"] = {
        "createRuntime": [{"path": "/bin/true", "args": ["host-hook"]}],
        "startContainer": [{"path": "/bin/true", "args": ["true"]}],
    }
    made.write()
    done = record(plain.argv("run", "--bundle", made.path, made.id), check=False)
    assert done.done.returncode == 42
    assert done.calls("program") == {"exit_group": 1}
    hooks = [image.argv for each in done.recording.processes for image in each.images
             if image.stage == "hook"]  # fmt: skip
    assert sorted(hooks) == [["host-hook"], ["true"]]


def test_denials_of_the_program_under_the_latch(
    record: Record, latched: Runtime, bundle: MakeBundle
) -> None:
    made = bundle(["/bin/sh", "-c", "mkdir /tmp/x"], seccomp=case("stali-like"))
    done = record(latched.argv("run", "--bundle", made.path, made.id), check=False)
    assert {(stage, name) for stage, name, *_ in done.denied()} >= {("program", "mkdir")}
    assert "filtered-init" not in {stage for stage, *_ in done.denied()}


def test_what_goes_on_after_the_command_is_recorded(
    record: Record,
) -> None:
    done = record(["sh", "-c", "(/bin/sleep 0.3; /bin/true) & exit 3"], check=False)
    assert done.done.returncode == 3
    assert {"/bin/sleep", "/bin/true"} <= {
        image.exe for each in done.recording.processes for image in each.images
    }
