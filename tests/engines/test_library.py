"""Test the engines' test library itself: every test built on it relies on its results."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.engines.engine import Engine
from tests.engines.host import PrivateHost, cgroups, wait_until

STATUS = ["/bin/busybox", "grep", "-E", "^(Seccomp|NoNewPrivs|Uid)", "/proc/self/status"]


def fields(text: str) -> dict[str, str]:
    pairs = (line.split(":", 1) for line in text.splitlines() if ":" in line)
    return {key.strip(): value.strip() for key, value in pairs}


@pytest.mark.parametrize("no_new_privs", [False, True], ids=["privs", "no_new_privs"])
def test_foreground_container_has_the_profile_and_switches_asked_for(
    engine: Engine, runtime: str, no_new_privs: bool, denies_mkdir: Path
) -> None:
    done = engine.run(
        *STATUS, runtime=runtime, profile=denies_mkdir, no_new_privs=no_new_privs, user="1000"
    )
    assert done.returncode == 0, done.stderr
    result = fields(done.stdout)
    assert result["Seccomp"] == "2"
    assert result["NoNewPrivs"] == str(int(no_new_privs))
    assert result["Uid"].split() == ["1000"] * 4
    refused = engine.run("/bin/mkdir", "/tmp/x", runtime=runtime, profile=denies_mkdir)
    assert refused.returncode == 1
    assert "mkdir" in refused.stderr


def test_status_of_the_command_is_the_status_of_run(engine: Engine, runtime: str) -> None:
    assert engine.run("/bin/sh", "-c", "exit 42", runtime=runtime).returncode == 42


def test_background_container_is_seen_from_inside_and_from_proc(
    engine: Engine, runtime: str, denies_mkdir: Path
) -> None:
    container = engine.detach(
        "/bin/sh", "-c", "echo hello; exec sleep 1000", runtime=runtime, profile=denies_mkdir
    )
    wait_until(lambda: "hello" in engine.output(container), "its output")
    status = engine.host.status(engine.pid(container))
    assert (status["Seccomp"], status["NoNewPrivs"]) == ("2", "0")
    result = engine.ask(container, *STATUS)
    assert result.returncode == 0, result.stderr
    assert fields(result.stdout)["Seccomp"] == "2"
    engine.remove(container)


def test_created_container_runs_only_once_started(engine: Engine, runtime: str) -> None:
    if not engine.has_create:
        with pytest.raises(NotImplementedError):
            engine.create("/bin/true", runtime=runtime)
        return
    container = engine.create("/bin/sh", "-c", "echo ran; exit 7", runtime=runtime)
    assert engine.output(container) == ""
    assert engine.start(container).returncode == 0
    assert engine.wait(container) == 7
    assert engine.output(container) == "ran"


def test_background_status_is_returned_by_wait(engine: Engine, runtime: str) -> None:
    container = engine.detach("/bin/sh", "-c", "exit 9", runtime=runtime)
    assert engine.wait(container) == 9


def test_extra_arguments_reach_the_engine(engine: Engine, runtime: str) -> None:
    done = engine.run("/bin/sh", "-c", "echo $WORD", runtime=runtime, extra=["--env=WORD=here"])
    assert done.stdout.strip() == "here"


def test_the_registered_runtime_is_the_one_that_runs(
    engine: Engine, runtime: str, runtimes: Mapping[str, Path]
) -> None:
    container = engine.detach("/bin/sleep", "1000", runtime=f"latched-{runtime}")
    front = str(runtimes[f"latched-{runtime}"])
    listing = engine.host.run(
        "sh", "-c", "cat /proc/[0-9]*/cwd/runtime; cat /proc/[0-9]*/cmdline | tr '\\0' ' '"
    )
    assert front in listing.stdout
    engine.remove(container)


def test_nothing_inside_reaches_the_machine(host: PrivateHost) -> None:
    host.run("sh", "-c", "echo x > /etc/seclatch-probe; echo x > /usr/local/probe", check=True)
    assert not Path("/etc/seclatch-probe").exists()
    assert not Path("/usr/local/probe").exists()
    assert host.path("/etc/seclatch-probe").read_text() == "x\n"


def test_a_killed_test_run_leaves_no_process_and_no_mount() -> None:
    victim = PrivateHost().start()
    token = f"seclatch-victim-{os.getpid()}"
    # Detached like a daemon from everything but the namespace.
    victim.run(
        "sh", "-c", f"ln -s /bin/sleep /run/{token}; setsid /run/{token} 1000 >/dev/null 2>&1 &"
    )
    wait_until(lambda: running(token), "the daemon inside")
    victim.holder.send_signal(signal.SIGKILL)
    victim.holder.communicate()
    wait_until(lambda: not running(token), "the daemon's end")
    assert "/run/overlay" not in Path("/proc/self/mountinfo").read_text()
    assert not list(cgroups(victim.group))


def running(word: str) -> bool:
    return subprocess.run(["pgrep", "-f", f"^/run/{word}"], check=False).returncode == 0


@pytest.fixture(scope="session")
def denies_mkdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a profile that is valid in both Docker's format and OCI's."""
    path = tmp_path_factory.mktemp("profile") / "denies-mkdir.json"
    path.write_text(
        '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls":'
        ' [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "args": []}]}'
    )
    return path
