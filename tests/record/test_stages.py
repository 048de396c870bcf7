"""Stages and sessions, by runtime, subcommand, latch, namespaces."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from seclatch.model.recording.process_context import ProcessContext
from tests.conftest import Compiler
from tests.latch.oci import SCRIPTS, Bundle, Runtime, case, running
from tests.record.conftest import Record, Recorded
from tests.record.straced import differences
from tests.record.test_counts import allow_most

pytestmark = pytest.mark.root
MakeBundle = Callable[..., Bundle]

SECLATCH = str(SCRIPTS / "seclatch")
STATIC_TRUE = {
    "arch_prctl",
    "brk",
    "exit_group",
    "getrandom",
    "getuid",
    "mprotect",
    "prctl",
    "prlimit64",
    "readlinkat",
    "rseq",
    "set_robust_list",
    "set_tid_address",
}


@pytest.mark.parametrize("front", ["plain", "latched"])
def test_a_run(
    record: Record,
    plain: Runtime,
    latched: Runtime,
    bundle: MakeBundle,
    no_new_privileges: bool,
    front: str,
) -> None:
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
    done = record(["bash", "-c", script, "bash", *create, *start], straced=True)
    plain("delete", "--force", made.id)
    assert done.log
    assert differences(done.log, done.recording) == {}
    assert set(done.calls("program")) == STATIC_TRUE
    assert done.stages()["runtime"] > 100
    argv = [
        image.argv
        for each in done.recording.processes
        for image in each.images
        if image.stage == "runtime"
    ]
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
    give_user_namespace(made)
    done = record(latched.argv("run", "--bundle", made.path, made.id), check=False)
    assert (done.done.returncode, done.calls("program")) == (42, {"exit_group": 1})
    [container] = done.recording.containers
    assert container.user_namespace != 0
    uids = [
        image.uid
        for each in done.recording.processes
        for image in each.images
        if image.stage == "program"
    ]
    assert uids == [100000]


@pytest.mark.parametrize("users", [False, True], ids=["", "user namespaces"])
def test_several_containers_at_once(
    record: Record, plain: Runtime, bundle: MakeBundle, users: bool
) -> None:
    made = [bundle(["/bin/sh", "-c", f"exit {n}"], seccomp=allow_most()) for n in range(3)]
    for each in made if users else ():
        give_user_namespace(each)
    runs = " & ".join(
        " ".join(f"'{word}'" for word in plain.argv("run", "--bundle", each.path, each.id))
        for each in made
    )
    done = record(["sh", "-c", f"{runs} & wait"], straced=True)
    assert done.log
    assert differences(done.log, done.recording) == {}
    recording = done.recording
    assert sorted(each.container for each in recording.sessions) == [0, 1, 2]
    assert {each.name for each in recording.containers} == {each.id for each in made}
    statuses = {
        each.session: each.status
        for each in recording.processes
        if any(image.stage == "program" for image in each.images)
    }
    assert sorted(statuses.values(), key=str) == [0, 256, 512]
    namespaces = {each.user_namespace for each in recording.containers}
    # The number of a namespace that has ended is given to the next one.
    assert (inode("user") in namespaces) == (not users)


@pytest.mark.parametrize(
    "flags", [[], ["--no-new-privs"], ["--cap-add", "SYS_ADMIN"]], ids=["gate", "hold", "exact"]
)
def test_calls_injected_by_the_latch_are_not_the_program_s(
    record: Record, plain: Runtime, compiler: Compiler, flags: list[str], tmp_path: Path
) -> None:
    """The latch injects the load of the filter into a program that has not begun.

    Calls of a program that itself loads a filter first of all are the program's.
    """
    profile = tmp_path / "profile.json"
    profile.write_text(
        '{"defaultAction": "SCMP_ACT_ALLOW",'
        ' "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"}]}'
    )
    program = compiler("filters_in_turn")
    shared = ["-v", f"{program.parent}:/programs:ro", "--profile", profile]
    more = ["--runtime", plain.name, *shared, *flags]
    for words, loads in ((["/bin/true"], 0), ([f"/programs/{program.name}", "2"], 2)):
        calls = [
            record([SECLATCH, "run", "--latch", latch, *more, "--", *words]).calls("program")
            for latch in ("gate", "suspend")
        ]
        assert calls[0] == calls[1]
        assert calls[0].get("seccomp", 0) == loads


@pytest.mark.parametrize("latch", ["gate", "suspend"])
def test_a_program_may_issue_calls_from_any_address(
    record: Record, plain: Runtime, compiler: Compiler, latch: str, tmp_path: Path
) -> None:
    """Also from the address of injected calls: without a tracer they are the program's own."""
    program, profile = compiler("calls_from_entry"), tmp_path / "profile.json"
    profile.write_text(json.dumps(allow_most()))
    where = [
        "-v",
        f"{program.parent}:/programs:ro",
        "--no-new-privs",
        "--latch",
        latch,
        "--profile",
        profile,
    ]
    words = ["run", "--runtime", plain.name, *where, "--", f"/programs/{program.name}"]
    assert record([SECLATCH, *words]).calls("program")["getppid"] == 9


def test_hooks_are_not_the_program(record: Record, plain: Runtime, bundle: MakeBundle) -> None:
    made = bundle(["/bin/exit42"], seccomp=allow_most())
    made.config["hooks"] = {
        "createRuntime": [{"path": "/bin/cat", "args": ["host-hook"]}],
        "startContainer": [{"path": "/bin/cat", "args": ["cat"]}],
    }
    made.write()
    done = record(plain.argv("run", "--bundle", made.path, made.id), check=False)
    assert done.done.returncode == 42
    assert done.calls("program") == {"exit_group": 1}
    hooks = [
        image.argv
        for each in done.recording.processes
        for image in each.images
        if image.stage == "hook"
    ]
    assert sorted(hooks) == [["cat"], ["host-hook"]]


def test_denials_of_the_program_under_the_latch(
    record: Record, latched: Runtime, bundle: MakeBundle
) -> None:
    made = bundle(["/bin/sh", "-c", "mkdir /tmp/x"], seccomp=case("stali-like"))
    done = record(latched.argv("run", "--bundle", made.path, made.id), check=False)
    assert {(stage, name) for stage, name, *_ in done.denied()} >= {("program", "mkdir")}
    assert "filtered-init" not in {stage for stage, *_ in done.denied()}


def test_processes_after_the_command_are_recorded(
    record: Record,
) -> None:
    done = record(["sh", "-c", "(/bin/sleep 0.3; /bin/true) & exit 3"], check=False)
    assert done.done.returncode == 3
    assert {"/bin/sleep", "/bin/true"} <= {
        image.exe for each in done.recording.processes for image in each.images
    }


def contexts(done: Recorded, program: str) -> list[ProcessContext]:
    """Return the states of the one process that ran a program as the image's."""
    [process] = [
        each
        for each in done.recording.processes
        if any(image.stage == "program" and image.argv[0] == program for image in each.images)
    ]
    return [done.recording.contexts[each.context] for each in process.contexts]


@pytest.mark.parametrize("front", ["plain", "latched"])
def test_the_filter_of_the_program_and_its_time(
    record: Record,
    plain: Runtime,
    latched: Runtime,
    bundle: MakeBundle,
    no_new_privileges: bool,
    front: str,
) -> None:
    runtime = latched if front == "latched" else plain
    made = bundle(["/bin/exit0"], seccomp=allow_most(), no_new_privileges=no_new_privileges)
    made.config["process"]["user"] = {"uid": 1000, "gid": 1001}
    caps = {"bounding": ["CAP_CHOWN"], "permitted": [], "effective": [], "inheritable": []}
    made.config["process"]["capabilities"] = caps
    made.write()
    done = record(runtime.argv("run", "--bundle", made.path, made.id))
    states = contexts(done, "/bin/exit0")
    host, last = states[0], states[-1]
    assert (host.uid, host.filters, host.seccomp) == (0, 0, 0)
    assert (last.uid, last.gid, last.euid, last.egid) == (1000, 1001, 1000, 1001)
    assert (last.filters, last.seccomp, last.suspended) == (1, 2, False)
    assert last.no_new_privs == no_new_privileges
    assert last.capabilities and last.capabilities.bounding == f"{1:016x}"
    assert last.capabilities.effective == f"{0:016x}"
    assert last.namespaces.mnt != inode("mnt")
    assert last.namespaces.uts != inode("uts")
    assert last.namespaces.user == host.namespaces.user == inode("user")
    assert done.recording.containers[0].mount_namespace == last.namespaces.mnt
    assert any(each.suspended and each.filters for each in states) == (front == "latched")


def test_namespaces_and_capabilities_are_those_of_proc(record: Record) -> None:
    script = (
        "grep Cap /proc/self/status; for n in mnt pid user net ipc uts cgroup; "
        "do stat -Lc %i /proc/self/ns/$n; done"
    )
    done = record(["unshare", "--ipc", "--uts", "sh", "-c", script])
    *capabilities, mnt, pid, user, net, ipc, uts, cgroup = done.done.stdout.splitlines()
    result = {line.split()[0]: line.split()[1] for line in capabilities}
    [process] = [each for each in done.recording.processes if each.images[-1].exe.endswith("grep")]
    context = done.recording.contexts[process.contexts[-1].context]
    assert context.capabilities
    assert [result[f"Cap{name}:"] for name in ("Inh", "Prm", "Eff", "Bnd", "Amb")] == list(
        msgspec.structs.astuple(context.capabilities)
    )
    assert list(map(int, (mnt, pid, user, net, ipc, uts, cgroup))) == list(
        msgspec.structs.astuple(context.namespaces)
    )


def test_the_runtime_s_version(record: Record, latched: Runtime, bundle: MakeBundle) -> None:
    made = bundle(["/bin/exit0"], seccomp=allow_most())
    done = record(latched.argv("run", "--bundle", made.path, made.id))
    [found] = [each for each in done.recording.software if each.stage == "runtime"]
    result = subprocess.run([latched.name, "--version"], capture_output=True, text=True, check=True)
    assert (found.name, found.version) == (latched.name, result.stdout.splitlines()[0])


def give_user_namespace(made: Bundle) -> None:
    linux = made.config["linux"]
    linux["namespaces"].append({"type": "user"})
    for mapping in ("uidMappings", "gidMappings"):
        linux[mapping] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    made.write()


def inode(kind: str) -> int:
    return Path(f"/proc/self/ns/{kind}").stat().st_ino
