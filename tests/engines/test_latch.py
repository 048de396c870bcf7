"""The latch under real engines, observed in the container and in the host's /proc.

{runc, crun} x {run, create+start, exec} x no_new_privs.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.engines.engine import Engine
from tests.engines.host import wait_until
from tests.engines.system_log import system_log
from tests.latch.oci import case

EPERM = 1
STATUS = ["/bin/grep", "-E", "^(Seccomp|NoNewPrivs|TracerPid)", "/proc/self/status"]


@pytest.fixture(params=[False, True], ids=["privs", "no_new_privs"])
def no_new_privs(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def strict() -> Path:
    return Path(__file__).parent.parent / "data/stali-like.json"


@pytest.fixture
def exit_only() -> Path:
    return Path(__file__).parent.parent / "data/exit-only.json"


@pytest.fixture
def only_exit_else_eperm(tmp_path: Path) -> Path:
    path = tmp_path / "only-exit.json"
    path.write_text(json.dumps(case("exit-only") | {"defaultAction": "SCMP_ACT_ERRNO"}))
    return path


def fields(text: str) -> dict[str, str]:
    pairs = (line.split(":", 1) for line in text.splitlines() if ":" in line)
    return {key.strip(): value.strip() for key, value in pairs}


def expected(no_new_privs: bool) -> dict[str, str]:
    return {
        "TracerPid": "0",
        "NoNewPrivs": str(int(no_new_privs)),
        "Seccomp": "2",
        "Seccomp_filters": "1",
    }


def test_run(
    engine: Engine, runtime: str, no_new_privs: bool, exit_only: Path, strict: Path
) -> None:
    options = {"profile": exit_only, "no_new_privs": no_new_privs}
    bare = engine.run("/bin/exit42", runtime=runtime, timeout=90, **options)
    assert bare.returncode not in (0, 42)
    assert engine.run("/bin/exit42", runtime=f"latched-{runtime}", **options).returncode == 42
    result = engine.run(
        *STATUS, runtime=f"latched-{runtime}", profile=strict, no_new_privs=no_new_privs
    )
    assert result.returncode == 0, result.stderr
    assert fields(result.stdout) == expected(no_new_privs)


def test_the_system_log_names_method_and_container(
    engine: Engine, runtime: str, strict: Path, tmp_path: Path
) -> None:
    """Test a start and an exec session, for which engines pass the name differently."""
    with system_log(engine.host, tmp_path / "log") as lines:
        container = engine.detach(
            "/bin/sleep", "1000", runtime=f"latched-{runtime}", profile=strict
        )
        wait_until(lambda: len(lines()) == 1, "the start's line")
        assert engine.exec(container, *STATUS).returncode == 0
        wait_until(lambda: len(lines()) == 2, "the session's line")
        engine.remove(container)
    message = r"<30>seclatch\[\d+\]: road=suspend pid=\d+ container=(\S+)"
    found = [re.fullmatch(message, line) for line in lines()]
    assert all(found), lines()
    (name,) = {each[1] for each in found if each}
    assert name == container or re.fullmatch("[0-9a-f]{64}", name)  # containerd's name, or an id


def test_the_first_instruction_is_bound(
    engine: Engine, runtime: str, no_new_privs: bool, only_exit_else_eperm: Path
) -> None:
    done = engine.run(
        "/bin/first_denied",
        runtime=f"latched-{runtime}",
        profile=only_exit_else_eperm,
        no_new_privs=no_new_privs,
    )
    assert done.returncode == EPERM, done.stderr


def test_create_and_start(
    engine: Engine, runtime: str, no_new_privs: bool, exit_only: Path, strict: Path
) -> None:
    # ctr's run calls the runtime's create and start itself
    begin = engine.create if engine.has_create else engine.detach
    container = begin(
        "/bin/exit42", runtime=f"latched-{runtime}", profile=exit_only, no_new_privs=no_new_privs
    )
    if engine.has_create:
        assert engine.start(container).returncode == 0
    assert engine.wait(container) == 42


def test_the_host_s_view_and_exec(
    engine: Engine, runtime: str, no_new_privs: bool, strict: Path
) -> None:
    container = engine.detach(
        "/bin/sleep",
        "1000",
        runtime=f"latched-{runtime}",
        profile=strict,
        no_new_privs=no_new_privs,
    )
    pid = engine.pid(container)
    wait_until(lambda: engine.host.status(pid)["TracerPid"] == "0", "the tracer to leave")
    assert expected(no_new_privs).items() <= engine.host.status(pid).items()
    result = engine.ask(container, *STATUS)
    assert result.returncode == 0, result.stderr
    inside = fields(result.stdout)
    assert (inside["Seccomp"], inside["TracerPid"]) == ("2", "0")
    denied = engine.ask(container, "/bin/mkdir", "/tmp/x")
    assert denied.returncode == 1
    assert "can't create directory" in denied.stderr
    engine.remove(container)


def test_exec_allows_nothing_for_the_runtime(engine: Engine, runtime: str, tmp_path: Path) -> None:
    """execve itself is denied inside; the container and an exec session in it still start."""
    profile = case("stali-like")
    profile["syscalls"][0]["names"].remove("execve")
    path = tmp_path / "no-exec.json"
    path.write_text(json.dumps(profile))
    container = engine.detach("/bin/sleep", "1000", runtime=f"latched-{runtime}", profile=path)
    result = engine.ask(container, *STATUS)
    assert result.returncode == 0, result.stderr
    assert fields(result.stdout)["Seccomp"] == "2"
    assert engine.exec(container, "/bin/sh", "-c", "/bin/true").returncode != 0
    engine.remove(container)


def test_another_user(engine: Engine, runtime: str, exit_only: Path) -> None:
    done = engine.run("/bin/exit42", runtime=f"latched-{runtime}", profile=exit_only, user="1000")
    assert done.returncode == 42, done.stderr


def test_unconfined_containers_are_left_alone(engine: Engine, runtime: str) -> None:
    extra = {
        "docker": ["--security-opt", "seccomp=unconfined"],
        "podman": ["--security-opt", "seccomp=unconfined"],
        "containerd": [],
    }[engine.name]
    container = engine.detach("/bin/sleep", "1000", runtime=f"latched-{runtime}", extra=extra)
    pid = engine.pid(container)
    wait_until(lambda: engine.host.status(pid)["TracerPid"] == "0", "the tracer to leave")
    assert engine.host.status(pid)["Seccomp"] == "0"
    engine.remove(container)


def test_a_terminal(engine: Engine, runtime: str, strict: Path) -> None:
    if engine.name == "containerd":
        pytest.skip("ctr run --tty wants a terminal of its own; the engines' clients do not")
    container = engine.detach(
        "/bin/sh",
        "-c",
        "test -t 1 && echo tty",
        runtime=f"latched-{runtime}",
        profile=strict,
        extra=["--tty"],
    )
    assert engine.wait(container) == 0
    assert engine.output(container).strip() == "tty"


@pytest.mark.parametrize("kind", ["docker", "podman"])
def test_an_init_of_the_engine(
    request: pytest.FixtureRequest, kind: str, runtime: str, tmp_path: Path
) -> None:
    """`--init` runs docker-init or catatonit as PID 1: that is the program of the exec."""
    engine: Engine = request.getfixturevalue(kind)
    profile = case("stali-like")
    profile["syscalls"][0]["names"] += INIT_CALLS
    own = tmp_path / "with-init.json"
    own.write_text(json.dumps(profile))
    done = engine.run(
        "/bin/sh", "-c", "exit 42", runtime=f"latched-{runtime}", profile=own, extra=["--init"]
    )
    assert done.returncode == 42, done.stderr


# The calls of tini and catatonit themselves, as PID 1 of the container.
INIT_CALLS = [
    "prctl",
    "rt_sigtimedwait",
    "signalfd4",
    "waitid",
    "fcntl",
    "close",
    "tcsetpgrp",
    "dup3",
    "getrlimit",
    "fstat",
    "restart_syscall",
    "clone3",
    "epoll_create1",
    "epoll_ctl",
    "epoll_wait",
    "epoll_pwait",
    "readlink",
    "access",
    "close_range",
    "membarrier",
    "sysinfo",
    "wait4",
    "pause",
]


def test_the_reason_of_a_refused_start_reaches_the_user(
    engine: Engine, runtime: str, strict: Path, tmp_path: Path
) -> None:
    """An invalid mode refuses every start; the engine shows the latch's own message."""
    front = engine.runtimes[f"latched-{runtime}"]
    mode = front.with_name(front.name + ".mode")
    mode.symlink_to("nonsense")
    try:
        done = engine.run("/bin/true", runtime=f"latched-{runtime}", profile=strict)
    finally:
        mode.unlink()
    assert done.returncode != 0
    assert "is none of auto, suspend, gate, refuse, plain" in done.stderr + done.stdout


def test_no_zombie_is_left(engine: Engine, runtime: str, exit_only: Path) -> None:
    """The tracer is an orphan: containerd-shim, conmon or the host's init must have reaped it."""
    for _ in range(3):
        assert (
            engine.run("/bin/exit42", runtime=f"latched-{runtime}", profile=exit_only).returncode
            == 42
        )
    container = engine.detach("/bin/sleep", "1000", runtime=f"latched-{runtime}")
    wait_until(
        lambda: "seclatch-tracer" not in engine.host.run("ps", "-eo", "comm,stat,ppid").stdout,
        "the tracers to be reaped",
    )
    engine.remove(container)


def test_a_healthcheck_s_exec(request: pytest.FixtureRequest, runtime: str, strict: Path) -> None:
    docker: Engine = request.getfixturevalue("docker")
    container = docker.detach(
        "/bin/sleep",
        "1000",
        runtime=f"latched-{runtime}",
        profile=strict,
        extra=["--health-cmd", "/bin/true", "--health-interval", "1s"],
    )
    health = ["inspect", "--format", "{{.State.Health.Status}}", container]
    wait_until(lambda: docker.command(*health).stdout.strip() == "healthy", "a healthy container")
    docker.remove(container)
