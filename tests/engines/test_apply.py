"""`seclatch-apply` in real containers: under the engines' default profiles, and under the latch."""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from seclatch.apply import loadable
from seclatch.profile.parse.load_profile import parse_profile
from seclatch.runtime.find_latch import find_latch
from tests.conftest import Compiler
from tests.engines.conftest import require
from tests.engines.docker import Docker
from tests.engines.host import PrivateHost
from tests.engines.image import make_archive, make_rootfs
from tests.engines.podman import Podman

ONLY_EXIT = {
    "defaultAction": "SCMP_ACT_ERRNO",
    "defaultErrnoRet": 9,
    "syscalls": [{"names": ["exit_group"], "action": "SCMP_ACT_ALLOW"}],
}
NO_MKDIR = {
    "defaultAction": "SCMP_ACT_ALLOW",
    "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 12}],
}

# The calls of seclatch-apply that an outer profile must allow, as listed in docs/applying.md.
NEEDS = [
    "arch_prctl",
    "clone",
    "close",
    "close_range",
    "execve",
    "exit_group",
    "fcntl",
    "getpid",
    "open",
    "openat",
    "pipe2",
    "prctl",
    "process_vm_writev",
    "ptrace",
    "read",
    "rt_sigaction",
    "rt_sigprocmask",
    "seccomp",
    "set_tid_address",
    "setsid",
    "wait4",
    "write",
    "writev",
]


def compiled(profile: dict[str, Any]) -> bytes:
    return loadable.compile_loadable(parse_profile(json.dumps(profile), "test")).code


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory, compiler: Compiler) -> Path:
    """Make an image with the static program and compiled profiles, as by COPY in a Dockerfile."""
    folder = tmp_path_factory.mktemp("applying")
    programs = {name: compiler(name) for name in ("exit42", "first_denied")}
    root = make_rootfs(folder / "rootfs", programs)
    shutil.copy(find_latch("apply"), root / "seclatch-apply")
    (root / "exit.bpf").write_bytes(compiled(ONLY_EXIT))
    (root / "mkdir.bpf").write_bytes(compiled(NO_MKDIR))
    for path in (root / "exit.bpf", root / "mkdir.bpf"):
        path.chmod(0o644)
    return make_archive(root, folder / "image.tar")


@pytest.fixture(scope="module")
def docker(
    host: PrivateHost,
    runtimes: Mapping[str, Path],
    archive: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Docker]:
    """Start a private dockerd, since the image has the usual name."""
    require(*Docker.programs)
    docker = Docker(host, runtimes).begin(tmp_path_factory.mktemp("docker") / "log")
    docker.load(archive)
    yield docker
    docker.stop()


@pytest.fixture(scope="module")
def podman(host: PrivateHost, runtimes: Mapping[str, Path], archive: Path) -> Iterator[Podman]:
    require(*Podman.programs)
    podman = Podman(host, runtimes)
    podman.load(archive)
    yield podman
    podman.stop()


@pytest.fixture(params=["docker", "podman"])
def engine(request: pytest.FixtureRequest) -> Docker | Podman:
    chosen: Docker | Podman = request.getfixturevalue(request.param)
    return chosen


@pytest.mark.parametrize("user", [None, "1000:1000"])
@pytest.mark.parametrize("no_new_privs", [False, True])
def test_under_the_engines_default_profile(
    engine: Docker | Podman, user: str | None, no_new_privs: bool
) -> None:
    options = {"user": user, "no_new_privs": no_new_privs}
    words = ("/seclatch-apply", "/exit.bpf")
    assert engine.run(*words, "/bin/exit42", **options).returncode == 42
    assert engine.run(*words, "/bin/first_denied", **options).returncode == 9
    done = engine.run("/seclatch-apply", "/mkdir.bpf", "cat", "/proc/self/status", **options)
    lines = dict(line.split(":", 1) for line in done.stdout.splitlines())
    assert lines["Pid"].strip() == "1"
    assert lines["Seccomp_filters"].strip() == "2"  # the engine's filter and that of seclatch-apply


def test_as_entrypoint(docker: Docker) -> None:
    """With ENTRYPOINT ["/seclatch-apply", "/mkdir.bpf"], every command of the image is bound."""
    made = docker.create("true")
    change = 'ENTRYPOINT ["/seclatch-apply", "/mkdir.bpf"]'
    docker.must("commit", "--change", change, made, "seclatch.test/bound")
    run = ["run", "--rm", "--network", "none", "--cgroup-parent", f"/{docker.host.group}"]
    done = docker.command(*run, "seclatch.test/bound", "mkdir", "/tmp/new")
    assert done.returncode == 1
    assert "Cannot allocate memory" in done.stderr  # errno 12
    assert docker.command(*run, "seclatch.test/bound", "ls", "/proc/self").returncode == 0
    assert docker.command(*run, "seclatch.test/bound", "/nonexistent").returncode == 127


def test_exec_in_a_running_container(docker: Docker) -> None:
    container = docker.detach("sleep", "60")
    done = docker.exec(container, "/seclatch-apply", "/exit.bpf", "/bin/first_denied")
    assert done.returncode == 9
    done = docker.exec(container, "ls", "/proc")
    assert "seclatch-tracer" not in done.stdout


@pytest.mark.parametrize("runtime", ["latched-runc", "latched-crun"])
def test_under_a_strict_profile_and_the_latch(docker: Docker, tmp_path: Path, runtime: str) -> None:
    """The outer profile allows the calls that seclatch-apply needs and nothing else."""
    outer = tmp_path / "outer.json"
    rule = {"names": NEEDS, "action": "SCMP_ACT_ALLOW"}
    outer.write_text(json.dumps({"defaultAction": "SCMP_ACT_KILL_PROCESS", "syscalls": [rule]}))
    options = {"runtime": runtime, "profile": outer}
    words = ("/seclatch-apply", "/exit.bpf")
    assert docker.run(*words, "/bin/exit42", **options).returncode == 42
    done = docker.run(*words, "/bin/first_denied", **options)
    # getpgid: killed by the outer profile, whose action takes precedence
    assert done.returncode in (159, 137)
    without = [name for name in NEEDS if name != "ptrace"]
    rule["names"] = without
    outer.write_text(json.dumps({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [rule]}))
    done = docker.run(*words, "/bin/exit42", **options)
    assert done.returncode == 125
    assert "forbids ptrace(2)" in done.stderr


def test_every_listed_call_is_needed(docker: Docker, tmp_path: Path) -> None:
    if platform.machine() != "x86_64":
        pytest.skip("the list is for all architectures; x86-64 has each of its calls")
    outer = tmp_path / "outer.json"
    idle = []
    for name in sorted({*NEEDS} - {"openat", "writev", "process_vm_writev"}):
        rule = {"names": [n for n in NEEDS if n != name], "action": "SCMP_ACT_ALLOW"}
        outer.write_text(json.dumps({"defaultAction": "SCMP_ACT_KILL_PROCESS", "syscalls": [rule]}))
        done = docker.run(
            "/seclatch-apply", "/exit.bpf", "/bin/exit42", runtime="latched-crun", profile=outer
        )
        if done.returncode == 42:
            idle.append(name)
    assert not idle
