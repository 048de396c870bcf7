"""`seclatch ps` and `seclatch filter` on containers of the real engines."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from seclatch.profile.compile.compile_profile import Runtime, compile_profile
from seclatch.profile.parse.load_profile import load_profile
from tests.engines.docker import Docker
from tests.engines.engine import Engine
from tests.engines.host import PrivateHost, wait_until
from tests.engines.image import IMAGE
from tests.engines.podman import Podman

RUN = "from seclatch.cli.main import main; main()"
SLEEP = ("/bin/sleep", "1000")

# Every runtime can start under it without the latch.
PROFILE: dict[str, Any] = {
    "defaultAction": "SCMP_ACT_ALLOW",
    "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
    "syscalls": [
        {"names": ["mkdir", "rmdir", "keyctl"], "action": "SCMP_ACT_ERRNO", "errnoRet": 13},
        {"names": ["restart_syscall"], "action": "SCMP_ACT_KILL_PROCESS"},
    ],
}


@pytest.fixture
def profile(host: PrivateHost, tmp_path: Path) -> Path:
    path = tmp_path / "given.json"
    path.write_text(json.dumps(PROFILE))
    return path


@pytest.fixture
def seclatch(host: PrivateHost) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Provide the command, run inside the private host."""
    path = os.pathsep.join(sys.path)
    return lambda *words: host.run(sys.executable, "-c", RUN, *words, env={"PYTHONPATH": path})


@pytest.fixture
def listed(seclatch: Callable[..., Any]) -> Callable[..., list[dict[str, Any]]]:
    def call(*words: str) -> list[dict[str, Any]]:
        done = seclatch("ps", "--json", *words)
        assert done.returncode in (0, 1), done.stderr
        document = json.loads(done.stdout)
        assert document["notes"] == []
        return list(document["processes"])

    return call


def sleeping(found: list[dict[str, Any]]) -> dict[str, Any]:
    (one,) = [each for each in found if each["command"] == list(SLEEP)]
    return one


def test_a_container_of_each_engine(
    engine: Engine, runtime: str, profile: Path, listed: Callable[..., Any]
) -> None:
    name = engine.detach(*SLEEP, profile=profile, **chosen(engine, runtime))
    process = sleeping(listed("--container", name, "--profile", str(profile)))
    assert process["pid"] == engine.pid(name)
    assert (process["stage"], process["seccomp"], process["filters"]) == ("program", 2, 1)
    (layer,) = process["layers"]
    assert layer["by"] == {"cause": "runtime", "pid": None, "name": None, "certain": True}
    assert layer["profile"] == str(profile)
    code = compile_profile(load_profile(profile), runtime=Runtime(runtime)).code
    assert layer["fingerprint"] == sha256(code).hexdigest()[:8]
    container = process["container"]
    assert (container["name"], container["engine"]) == (name, engine.name)
    assert container["image"] == IMAGE


def chosen(engine: Engine, runtime: str) -> dict[str, str]:
    """Map the runtime's name: runc is built into dockerd."""
    return {} if engine.name == "docker" and runtime == "runc" else {"runtime": runtime}


@pytest.mark.parametrize("runtime", ["runc", "latched-runc", "crun", "latched-crun"])
def test_the_filter_equals_the_compiled_profile(
    engine: Engine, runtime: str, profile: Path, seclatch: Callable[..., Any], tmp_path: Path
) -> None:
    """Read by name without a stop, it equals the output of `profile compile` byte for byte."""
    name = engine.detach(*SLEEP, profile=profile, **chosen(engine, runtime))
    bare = runtime.removeprefix("latched-")
    seclatch("filter", name, "--bpf", "-o", tmp_path / "live.bpf")
    made = seclatch("profile", "compile", "--runtime", bare, profile, "-o", tmp_path / "made.bpf")
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "live.bpf").read_bytes() == (tmp_path / "made.bpf").read_bytes()
    done = seclatch("filter", name, "--against", profile, "--runtime", bare)
    assert (done.returncode, "byte for byte" in done.stdout) == (0, True), done.stderr
    asked = seclatch("filter", name, "--test", "mkdir", "--test", "openat(AT_FDCWD)")
    assert asked.stdout.splitlines() == [
        "mkdir: SCMP_ACT_ERRNO(13)",
        "openat(AT_FDCWD): SCMP_ACT_ALLOW",
    ]
    by_stop = seclatch("filter", str(engine.pid(name)), "--ptrace", "--against", profile)
    assert by_stop.returncode == 0, by_stop.stderr
    # The profile kills for restart_syscall, and this sleep was interrupted by the stop.
    assert seclatch("filter", name, "--against", profile).returncode == 0


def test_dockers_default_and_processes_outside_it(
    docker: Docker, listed: Callable[..., Any], seclatch: Callable[..., Any]
) -> None:
    name = docker.detach(*SLEEP)
    docker.exec(name, "/bin/sh", "-c", "sleep 999; :", extra=["--detach"])
    wait_until(lambda: len(listed("--container", name)) == 3, "the exec'd shell and its child")
    first, shell, child = sorted(listed("--container", name), key=lambda each: each["pid"])
    assert {each["layers"][0]["profile"] for each in (first, shell, child)} == {"docker-default"}
    # runc's program has a random order and was compiled again for the exec.
    assert shell["layers"][0]["fingerprint"] == child["layers"][0]["fingerprint"]
    causes = [each["layers"][0]["by"] for each in (first, shell, child)]
    assert [each["cause"] for each in causes] == ["runtime", "runtime", "inherited"]
    assert causes[2]["pid"] == shell["pid"]
    shims = listed("--name", "containerd-shim*")
    assert shims and {(each["seccomp"], each["stage"]) for each in shims} == {(0, "shim")}
    tree = seclatch("ps", "--container", name).stdout
    (shim,) = [line for line in tree.splitlines() if "containerd-shim" in line]
    assert shim.split()[1:4] == ["shim", "0", "0"]


def test_dockers_default_with_other_capabilities_is_another_program(
    docker: Docker, listed: Callable[..., Any]
) -> None:
    plain = docker.detach(*SLEEP)
    admin = docker.detach(*SLEEP, extra=["--cap-add", "SYS_ADMIN"])
    free = docker.detach(*SLEEP, extra=["--security-opt", "seccomp=unconfined"])
    one, other = (sleeping(listed("--container", each))["layers"][0] for each in (plain, admin))
    assert one["profile"] == other["profile"] == "docker-default"
    assert one["fingerprint"] != other["fingerprint"]
    assert sleeping(listed("--container", free))["seccomp"] == 0


@pytest.mark.parametrize("runtime", ["runc", "crun"])
@pytest.mark.parametrize("extra", [[], ["--cap-add", "SYS_ADMIN"]], ids=["plain", "admin"])
def test_podmans_default(
    podman: Podman, listed: Callable[..., Any], runtime: str, extra: list[str]
) -> None:
    name = podman.detach(*SLEEP, runtime=runtime, extra=extra)
    process = sleeping(listed("--container", name))
    assert process["layers"][0]["profile"] == "podman-default"
    assert process["container"]["name"] == name
    monitors = listed("--name", "conmon")
    assert monitors and {(each["seccomp"], each["stage"]) for each in monitors} == {(0, "engine")}


def test_a_created_container_waits_with_its_filter_loaded(
    podman: Podman, profile: Path, listed: Callable[..., Any]
) -> None:
    """With no_new_privs off, crun loads the filter before it waits for `start`."""
    name = podman.create(*SLEEP, runtime="crun", profile=profile)
    podman.must("init", name)
    (process,) = listed("--container", name, "--profile", str(profile))
    assert process["stage"] in ("init", "filtered-init")
    assert (process["stage"] == "filtered-init") == (process["seccomp"] == 2)


def test_an_engine_that_does_not_answer_is_not_waited_for(
    docker: Docker, seclatch: Callable[..., Any]
) -> None:
    name = docker.detach(*SLEEP)
    children = Path(f"/proc/{docker.daemon.process.pid}/task/{docker.daemon.process.pid}/children")
    (daemon,) = map(int, children.read_text().split())
    pid = str(docker.pid(name))
    os.kill(daemon, signal.SIGSTOP)
    try:
        done = seclatch("ps", "--pid", pid)
    finally:
        os.kill(daemon, signal.SIGCONT)
        docker.daemon.process.send_signal(signal.SIGCONT)  # nsenter(1) stops with its child
    assert done.returncode == 0
    assert "did not return names" in done.stderr
    assert done.stdout.splitlines()[-1].split()[:4] == [pid, "program", "2", "1"]


def test_engines_are_found_from_outside_of_their_mounts(docker: Docker) -> None:
    """As on a host whose engine runs in a mount namespace of its own (a snap, a container)."""
    name = docker.detach(*SLEEP)
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", RUN, "ps", "--json", "--container", name],
        capture_output=True,
        text=True,
        env=env,
        check=False,
    )
    (process,) = json.loads(done.stdout)["processes"]
    assert process["container"]["image"] == IMAGE
    assert process["layers"][0]["profile"] == "docker-default"


def test_hostile_processes_in_a_container(docker: Docker, seclatch: Callable[..., Any]) -> None:
    rename = "printf '\\033]0;x\\007\\n1 program' > /proc/self/comm"
    name = docker.detach("/bin/sh", "-c", f"{rename}; read x", extra=["--interactive"])
    done = seclatch("ps", "--container", name, "--flat")
    assert done.returncode == 0
    assert all(line.isprintable() for line in done.stdout.splitlines())
    listing = seclatch("filter", name)
    assert all(line.isprintable() for line in listing.stdout.splitlines())
