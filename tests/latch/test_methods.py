"""Methods without suspending seccomp: the filter is held until the exec, or gated."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.conftest import Compiler
from tests.latch.listener import agent
from tests.latch.oci import (
    READ_STATE,
    Bundle,
    Runtime,
    case,
    created,
    is_alive,
    running,
    runs,
    status,
    tracers,
    wait_until,
)
from tests.latch.test_same_filter import engine_like_profile, observe

pytestmark = pytest.mark.root

MakeBundle = Callable[..., Bundle]
Run = Callable[..., subprocess.CompletedProcess[str]]
WITH_ADMIN = {"capabilities": ["CAP_SYS_ADMIN"]}


@pytest.fixture(autouse=True)
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Select the gate as root; tests/engines/test_rootless.py tests what hosts permit."""
    monkeypatch.setenv("SECLATCH_MODE", "gate")
    monkeypatch.setenv("SECLATCH_LOG", str(tmp_path / "starts"))
    return tmp_path / "starts"


SCHEMA = json.loads((resources.files("seclatch.data") / "schemas/start-1.json").read_text())


def methods(journal: Path) -> list[str]:
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    for line in lines:
        jsonschema.validate(line, SCHEMA)
    return [line["road"] for line in lines]


def keep_admin(bundle: Bundle) -> Bundle:
    for held in bundle.config["process"]["capabilities"].values():
        held.append("CAP_SYS_ADMIN")
    bundle.write()
    return bundle


@pytest.fixture
def run(latched: Runtime, bundle: MakeBundle, rootfs: Path, compiler: Compiler) -> Run:
    """Provide run(PROGRAM…, seccomp=…, no_new_privileges=…, admin=…)."""

    def start(*args: str, admin: bool = False, **options: Any) -> Any:
        for name in ("opens_gate", "errnos"):
            if not (rootfs / "bin" / name).exists():
                shutil.copy(compiler(name), rootfs / "bin" / name)
        made = bundle(list(args), **options)
        if admin:
            keep_admin(made)
        done = latched("run", "--bundle", made.path, made.id)
        latched("delete", "--force", made.id)
        return done

    return start


def test_the_held_filter_is_the_bare_runtime_s(
    plain: Runtime, latched: Runtime, bundle: MakeBundle, compiler: Compiler, journal: Path
) -> None:
    """With no_new_privs the program has exactly the same filter, and the same other state."""
    made = bundle(["/bin/sleep", "100"], seccomp=engine_like_profile(), no_new_privileges=True)
    get_filter = compiler("get_filter")
    assert observe(latched, made, get_filter) == observe(plain, made, get_filter)
    assert methods(journal) == ["hold"]


def test_by_the_gate_only_the_filter_differs(
    plain: Runtime, latched: Runtime, bundle: MakeBundle, compiler: Compiler, journal: Path
) -> None:
    made = bundle(["/bin/sleep", "100"], seccomp=engine_like_profile())
    bare, bare_filters = observe(plain, made, compiler("get_filter"))
    under, under_filters = observe(latched, made, compiler("get_filter"))
    assert bare == under
    assert bare_filters.strip() in under_filters  # the gate contains a copy of it
    assert methods(journal) == ["gate"]


def test_with_sys_admin_the_exact_filter_is_loaded_over_the_gate(
    latched: Runtime, bundle: MakeBundle, compiler: Compiler, journal: Path, plain: Runtime
) -> None:
    made = keep_admin(bundle(["/bin/sleep", "100"], seccomp=engine_like_profile()))
    _, (exact, *none) = filters_of(plain, made, compiler)
    assert not none
    facts, (oldest, newest) = filters_of(latched, made, compiler)
    assert newest == exact
    assert exact in oldest
    assert facts["Seccomp_filters"] == "2"
    assert methods(journal) == ["gate+exact"]


def filters_of(
    runtime: Runtime, made: Bundle, compiler: Compiler
) -> tuple[dict[str, str], list[str]]:
    with running(runtime, made) as pid:
        facts = wait_until(lambda: (s := status(pid))["TracerPid"] == "0" and s, "the tracer")
        words = [str(compiler("get_filter")), str(pid)]
        text = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    return facts, text.split()


DENIALS = {
    "defaultAction": "SCMP_ACT_ALLOW",
    "syscalls": [
        {"names": ["umask"], "action": "SCMP_ACT_ERRNO", "errnoRet": 7},  # the gate's
        {"names": ["getpgid"], "action": "SCMP_ACT_ERRNO", "errnoRet": 9},  # not
    ],
}


@pytest.mark.parametrize(
    ("no_new_privs", "admin", "result"),
    [(False, False, errno.ENOSYS), (True, False, 7), (False, True, 7)],
    ids=["gate", "hold", "gate+exact"],
)
def test_the_errno_of_a_gated_call(run: Run, no_new_privs: bool, admin: bool, result: int) -> None:
    """With the gate alone, calls that it opens for the runtime answer ENOSYS; the rest is exact."""
    done = run("/bin/errnos", seccomp=DENIALS, no_new_privileges=no_new_privs, admin=admin)
    assert done.stdout.split() == [str(result), "9"], done.stderr


OPENABLE: dict[str, Any] = {
    "defaultAction": "SCMP_ACT_ALLOW",
    "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_AARCH64"],
}
if os.uname().machine == "aarch64":
    OPENABLE["architectures"] = ["SCMP_ARCH_AARCH64"]
else:
    OPENABLE["architectures"].remove("SCMP_ARCH_AARCH64")


def openable(action: str) -> dict[str, Any]:
    return {**OPENABLE, "syscalls": [{"names": ["umask"], "action": action}]}


@pytest.mark.parametrize("admin", [False, True], ids=["gate", "gate+exact"])
def test_the_gate_cannot_be_opened_from_inside(
    run: Run, plain: Runtime, bundle: MakeBundle, admin: bool
) -> None:
    """ptrace and listeners can let through a call answered with RET_TRACE, but not the gate's."""
    done = run("/bin/opens_gate", seccomp=openable("SCMP_ACT_ERRNO"), admin=admin)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_the_attacks_are_real(run: Run, plain: Runtime, bundle: MakeBundle) -> None:
    """Run the same attacks where the profile itself answers with SCMP_ACT_TRACE.

    The bare runtime guards nothing: each kind succeeds.
    """
    run("/bin/exit42", seccomp=openable("SCMP_ACT_ERRNO"))  # puts the program into the rootfs
    made = bundle(["/bin/opens_gate"], seccomp=openable("SCMP_ACT_TRACE"))
    done = plain("run", "--bundle", made.path, made.id)
    plain("delete", "--force", made.id)
    assert set(done.stdout.split()) >= {"traceme", "attach", "seize", "listener"}
    assert "straight" not in done.stdout


def test_held_filters_are_not_opened_either(run: Run) -> None:
    done = run("/bin/opens_gate", seccomp=openable("SCMP_ACT_ERRNO"), no_new_privileges=True)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_a_profile_s_own_trace_action_stays_enosys(run: Run, no_new_privileges: bool) -> None:
    profile = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["umask", "getpgid"], "action": "SCMP_ACT_TRACE"}],
    }
    done = run("/bin/errnos", seccomp=profile, no_new_privileges=no_new_privileges)
    assert done.stdout.split() == [str(errno.ENOSYS)] * 2, done.stderr


def test_refuse_accepts_exact_methods_and_nothing_else(
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    journal: Path,
    latched: Runtime,
    bundle: MakeBundle,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("SECLATCH_MODE", "refuse")
    assert run("/bin/exit42", seccomp=case("exit-only")).returncode == 42
    assert methods(journal) == ["suspend"]
    # without CAP_SYS_PTRACE suspending is refused, and the user namespace of a container run by
    # root is the test's own
    log = tmp_path / "log.json"
    made = bundle(["/bin/exit42"], seccomp=case("exit-only"))
    words = latched.argv(
        "--log", log, "--log-format", "json", "run", "--bundle", made.path, made.id
    )
    done = subprocess.run(
        ["setpriv", "--bounding-set=-sys_ptrace", *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode not in (0, 42)
    assert "nothing was started" in log.read_text()
    assert done.stderr.count("nothing was started") == 1
    assert methods(journal) == ["suspend"]
    made.config["process"]["noNewPrivileges"] = True
    made.write()
    latched("delete", "--force", made.id)
    status = subprocess.run(["setpriv", "--bounding-set=-sys_ptrace", *words], check=False)
    assert status.returncode == 42
    assert methods(journal) == ["suspend", "hold"]


@pytest.mark.parametrize(
    ("method", "started"),
    [
        *((method, False) for method in ("suspend", "hold", "gate", "gate+exact")),
        ("suspend", True),
        ("gate", True),
    ],
)
def test_a_runtime_ends_a_live_init_by_delete(
    latched: Runtime,
    bundle: MakeBundle,
    monkeypatch: pytest.MonkeyPatch,
    journal: Path,
    method: str,
    started: bool,
) -> None:
    """Also one that is traced still: `created` kills init before, in the other tests."""
    monkeypatch.setenv("SECLATCH_MODE", "suspend" if method == "suspend" else "gate")
    made = bundle(["/bin/sleep", "100"], seccomp=DENIALS, no_new_privileges=method == "hold")
    if method == "gate+exact":
        keep_admin(made)
    with (running if started else created)(latched, made) as pid:
        if started:
            wait_until(lambda: journal.exists() and journal.read_text().endswith("\n"), "the log")
            assert methods(journal) == [method]
        else:
            assert int(status(pid)["TracerPid"])
        done = latched("delete", "--force", made.id)
        assert (done.returncode, done.stderr) == (0, "")
        wait_until(lambda: not is_alive(pid), "init's end")
        assert latched("state", made.id).returncode != 0


def stop_and_continue(pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: status(pid)["State"][0] in "tT", "its stop")
    os.kill(pid, signal.SIGCONT)
    wait_until(lambda: status(pid)["State"][0] in "SR", "its going on")


def test_a_stderr_without_a_reader_does_not_delay_a_refusal(
    latched: Runtime, bundle: MakeBundle, tmp_path: Path
) -> None:
    """The runtime itself waits for its reader; the tracer has logged the reason and exited."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writing, b"x" * 4096)
    os.set_blocking(writing, True)
    made = bundle(["/bin/exit42"], seccomp=DENIALS)
    made.config["hooks"] = {"startContainer": [{"path": "/bin/true"}]}
    for held in made.config["process"]["capabilities"].values():
        held.append("CAP_SYS_PTRACE")
    made.write()
    log, before = tmp_path / "log", tracers()
    words = latched.argv("--log", log, "run", "--bundle", made.path, made.id)
    with subprocess.Popen(words, stderr=writing) as process:
        os.close(writing)
        wait_until(lambda: log.exists() and "nothing was started" in log.read_text(), "the log")
        wait_until(lambda: not tracers() - before, "the tracer to leave")
        while os.read(reading, 65536):
            pass
    os.close(reading)
    latched("delete", "--force", made.id)
    assert process.returncode not in (0, 42)


def wait_for_change(path: Path, before: bytes) -> None:
    """Poll without a pause until the program is exec'd: its filter is being loaded then."""
    wait_until(lambda: any(path.read_bytes() != before for _ in range(100_000)), "the exec")


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="no breakpoints but on x86-64")
def test_the_runtime_is_not_stopped_at_each_call(
    latched: Runtime, bundle: MakeBundle, no_new_privileges: bool
) -> None:
    """Count the tracer's waits until the start: some 60 (crun), 110 to 230 (runc).

    A stop at each call makes more than 550 (crun) and 4000 (runc), which happens where hardware
    breakpoints do not work.
    """
    made = bundle(["/bin/true"], seccomp=DENIALS, no_new_privileges=no_new_privileges)
    with created(latched, made) as pid:
        tracer = int(status(pid)["TracerPid"])
        waits = int(status(tracer)["voluntary_ctxt_switches"])
    assert waits < (90 if latched.name == "crun" else 400), waits


@pytest.mark.parametrize("continued", [True, False], ids=["continued", "not continued"])
@pytest.mark.parametrize("method", ["hold", "gate+exact"])
def test_a_stop_while_the_filter_is_loaded_lasts_until_it_is_continued(
    latched: Runtime, bundle: MakeBundle, method: str, continued: bool
) -> None:
    """At the exec the tracer injects calls into the program; a SIGSTOP may come between them."""
    chance = random.Random(31)
    for _ in range(12):
        made = bundle(["/bin/sleep", "100"], seccomp=DENIALS, no_new_privileges=method == "hold")
        if method == "gate+exact":
            keep_admin(made)
        with created(latched, made) as pid:
            line = Path(f"/proc/{pid}/cmdline")
            before = line.read_bytes()  # on a busy machine the start may be faster than Popen
            with subprocess.Popen(latched.argv("start", made.id)):
                wait_for_change(line, before)
                os.kill(pid, signal.SIGSTOP)
                end = time.perf_counter() + chance.random() * 0.0003
                while time.perf_counter() < end:
                    pass
                if continued:
                    os.kill(pid, signal.SIGCONT)
            wait_until(lambda pid=pid: status(pid)["TracerPid"] == "0", "the tracer to leave")
            wait_until(lambda pid=pid: runs_on(pid) == continued, "what the last signal says")
            time.sleep(0.02)
            assert runs_on(pid) == continued


def runs_on(pid: int) -> bool:
    return status(pid)["State"][0] not in "tT"


@pytest.mark.parametrize("stopped", [False, True], ids=["straight", "stopped"])
def test_a_tracer_killed_after_the_load_fails_closed(
    latched: Runtime, bundle: MakeBundle, no_new_privileges: bool, stopped: bool
) -> None:
    """Init ends with its tracer, also when it has been stopped and continued before.

    Held, it has no filter; gated, it would continue under the gate alone, whatever method was
    selected.
    """
    made = bundle(["/bin/sleep", "100"], seccomp=DENIALS, no_new_privileges=no_new_privileges)
    hook = {"path": "/bin/sleep", "args": ["sleep", "99"]}
    made.config["hooks"] = {"startContainer": [hook]}
    made.write()
    with created(latched, made) as pid:
        words = latched.argv("start", made.id)
        with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as start:
            children = Path(f"/proc/{pid}/task/{pid}/children")
            wait_until(
                lambda: any(runs(int(child), "sleep") for child in children.read_text().split()),
                "the hook",
            )
            if stopped:
                stop_and_continue(pid)
            os.kill(int(status(pid)["TracerPid"]), 9)
            wait_until(lambda: not is_alive(pid), "init's end")
            start.kill()


def test_a_killed_tracer_fails_closed(
    latched: Runtime, bundle: MakeBundle, no_new_privileges: bool
) -> None:
    """Held, init dies with the tracer; gated, it is bound and fails. The program never runs."""
    made = bundle(
        ["/bin/touch", "/tmp/ran"], seccomp=case("exit-only"), no_new_privileges=no_new_privileges
    )
    with created(latched, made) as pid:
        tracer = int(status(pid)["TracerPid"])
        assert tracer
        os.kill(tracer, 9)
        latched("start", made.id)
        wait_until(
            lambda: not Path(f"/proc/{pid}").exists() or status(pid)["State"].startswith("Z"),
            "init's end",
        )


@pytest.mark.parametrize("what", ["code", "data", "stack"])
def test_a_program_that_writes_into_the_starting_one_does_not_free_it(
    latched: Runtime, bundle: MakeBundle, rootfs: Path, compiler: Compiler, what: str
) -> None:
    """Attack a program that `exec` starts, from its exec until its filter is loaded.

    The container's programs may write to its memory then.
    """
    for name in ("meddler", "errnos"):
        if not (rootfs / "bin" / name).exists():
            shutil.copy(compiler(name), rootfs / "bin" / name)
    made = bundle(["/bin/meddler", what], seccomp=DENIALS, no_new_privileges=True)
    with running(latched, made):
        wait_until(lambda: "ready" in (made.path / "output").read_text(), "the attacker")
        result = [
            latched("exec", "--no-new-privs", made.id, "/bin/errnos").stdout.strip()
            for _ in range(20)
        ]
    assert set(result) <= {"7 9", ""}, result


def test_a_hook_on_the_host_after_the_load_is_let_go(
    latched: Runtime, bundle: MakeBundle, no_new_privileges: bool, tmp_path: Path
) -> None:
    """crun's front runs them itself in `run`, and is traced until the program's exec."""
    out = tmp_path / "out"
    made = bundle(["/bin/exit42"], seccomp=case("exit-only"), no_new_privileges=no_new_privileges)
    words = f"{READ_STATE}grep Seccomp: /proc/self/status >{out}"
    report = {"path": "/bin/sh", "args": ["sh", "-c", words]}
    made.config["hooks"] = {"poststart": [report]}
    made.write()
    done = latched("run", "--bundle", made.path, made.id)
    latched("delete", "--force", made.id)
    assert (done.returncode, out.read_text()) == (42, "Seccomp:\t0\n"), done.stderr


def test_an_agent_for_prctl_does_not_delay_the_start(
    latched: Runtime, bundle: MakeBundle, no_new_privileges: bool, tmp_path: Path
) -> None:
    """The latch has the runtime's init call prctl, before the agent has got its listener."""
    profile = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "listenerPath": str(tmp_path / "agent"),
        "syscalls": [{"names": ["prctl"], "action": "SCMP_ACT_NOTIFY"}],
    }
    made = bundle(["/bin/exit42"], seccomp=profile, no_new_privileges=no_new_privileges)
    with agent(tmp_path / "agent"):
        done = latched("run", "--bundle", made.path, made.id, timeout=60)
    latched("delete", "--force", made.id)
    assert done.returncode == 42, done.stderr
