"""Compare `profile resolve` with what the engines write into config.json."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from seclatch.model.arch import Arch
from seclatch.profile.compile.compile_profile import Runtime, compile_profile
from seclatch.profile.compile.resolve_profile import Engine, resolve_profile
from seclatch.profile.parse.load_profile import load_profile, parse_profile
from seclatch.system.read_filters import read_filters
from tests.engines.capture import Docker, Podman, require, take

pytestmark = [pytest.mark.root, pytest.mark.engine]

CONTAINERS_COMMON = Path("/usr/share/containers/seccomp.json")
KERNEL = tuple(map(int, re.findall(r"\d+", os.uname().release)[:2]))
NATIVE = Arch.native()

# The default capabilities of both engines; Podman's list is shorter.
DOCKER_CAPS = {
    "CHOWN",
    "DAC_OVERRIDE",
    "FSETID",
    "FOWNER",
    "MKNOD",
    "NET_RAW",
    "SETGID",
    "SETUID",
    "SETFCAP",
    "SETPCAP",
    "NET_BIND_SERVICE",
    "SYS_CHROOT",
    "KILL",
    "AUDIT_WRITE",
}
PODMAN_CAPS = DOCKER_CAPS - {"MKNOD", "NET_RAW", "AUDIT_WRITE"}

CAPS = [(), ("SYS_ADMIN",), ("SYS_PTRACE", "BPF", "PERFMON"), ("SYS_TIME", "SYSLOG", "SYS_MODULE")]


def conditional() -> dict[str, Any]:
    """Make one rule for each kind of condition, true and false."""
    tried: dict[str, list[Any]] = {
        "caps": [["CAP_CHOWN"], ["CAP_BPF"], ["CAP_CHOWN", "CAP_BPF"]],
        "arches": [["amd64"], ["arm64"], ["x86_64"], ["amd64", "s390x"]],
        "minKernel": ["3.10", "{}.{}".format(*KERNEL), f"{KERNEL[0]}.{KERNEL[1] + 1}", "99.0"],
    }
    conditions: list[dict[str, Any]] = [
        {key: {name: value}}
        for key in ("includes", "excludes")
        for name, values in tried.items()
        for value in values
    ]
    rules = [
        {"names": [f"call{number}"], "action": "SCMP_ACT_ALLOW"} | condition
        for number, condition in enumerate(conditions)
    ]
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": 1,
        "archMap": [
            {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]},
            {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]},
        ],
        "syscalls": [
            {
                "names": ["socket"],
                "action": "SCMP_ACT_ERRNO",
                "errnoRet": 97,
                "comment": "not passed on",
                "args": [
                    {"index": 0, "value": 40, "valueTwo": 0, "op": "SCMP_CMP_EQ"},
                    {"index": 1, "value": 15, "valueTwo": 2, "op": "SCMP_CMP_MASKED_EQ"},
                ],
            },
            {"names": ["a", "b"], "action": "SCMP_ACT_KILL", "args": []},
            {"name": "old", "action": "SCMP_ACT_LOG", "args": None},
            *rules,
        ],
    }


@pytest.fixture(scope="module")
def docker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Docker]:
    require("dockerd", "docker", "runc")
    engine = Docker(tmp_path_factory.mktemp("docker"))
    try:
        engine.start()
        yield engine
    finally:
        engine.stop()


@pytest.fixture(scope="module")
def podman(tmp_path_factory: pytest.TempPathFactory) -> Podman:
    require("podman", "runc")
    return Podman(tmp_path_factory.mktemp("podman"))


def ours(text: str, engine: Engine, caps: set[str]) -> dict[str, Any]:
    bounding = frozenset(f"CAP_{cap}" for cap in caps)
    profile = parse_profile(text, "test")
    value = resolve_profile(
        profile, arch=NATIVE, caps=bounding, kernel=(KERNEL[0], KERNEL[1]), engine=engine
    )
    assert value is not None
    return value


def texts() -> dict[str, str]:
    return {
        "conditional": json.dumps(conditional()),
        "containers-common": CONTAINERS_COMMON.read_text(),
        "minimal": '{"defaultAction": "SCMP_ACT_ALLOW"}',
        "listed": '{"defaultAction": "SCMP_ACT_LOG", "architectures": ["SCMP_ARCH_X86"],'
        ' "syscalls": []}',
    }


@pytest.mark.parametrize("caps", CAPS, ids="+".join)
@pytest.mark.parametrize("name", texts())
def test_docker_writes_the_same(
    docker: Docker, tmp_path: Path, name: str, caps: tuple[str, ...]
) -> None:
    path = tmp_path / "profile.json"
    path.write_text(texts()[name])
    theirs = docker.seccomp(f"--security-opt=seccomp={path}", *(f"--cap-add={cap}" for cap in caps))
    assert ours(path.read_text(), Engine.DOCKER, DOCKER_CAPS | set(caps)) == theirs


@pytest.mark.parametrize("caps", CAPS, ids="+".join)
@pytest.mark.parametrize("name", texts())
def test_podman_writes_the_same(
    podman: Podman, tmp_path: Path, name: str, caps: tuple[str, ...]
) -> None:
    path = tmp_path / "profile.json"
    path.write_text(texts()[name])
    theirs = podman.seccomp(f"--security-opt=seccomp={path}", *(f"--cap-add={cap}" for cap in caps))
    assert ours(path.read_text(), Engine.PODMAN, PODMAN_CAPS | set(caps)) == theirs


ADDED_AND_DROPPED = [
    ("--cap-add=ALL", "--cap-drop=ALL"),
    ("--cap-add=ALL", "--cap-drop=ALL", "--cap-drop=CHOWN"),
    ("--cap-add=ALL", "--cap-add=BPF", "--cap-drop=BPF"),
    ("--cap-drop=ALL", "--cap-add=CHOWN", "--cap-drop=CHOWN"),
    ("--cap-add=CHOWN", "--cap-drop=CHOWN"),
]


def resolve(engine: str, path: Path, options: tuple[str, ...]) -> dict[str, Any] | None:
    """Return the output of `seclatch profile resolve`; None if it refuses the options."""
    command = [sys.executable, "-m", "seclatch", "profile", "resolve", f"--engine={engine}"]
    done = subprocess.run([*command, *options, path], capture_output=True, text=True, check=False)
    assert done.returncode == 0 or "Podman refuses" in done.stderr, done.stderr
    return json.loads(done.stdout) if done.returncode == 0 else None


@pytest.mark.parametrize("options", ADDED_AND_DROPPED, ids=" ".join)
def test_docker_adds_and_drops_the_same(
    docker: Docker, tmp_path: Path, options: tuple[str, ...]
) -> None:
    path = tmp_path / "profile.json"
    path.write_text(json.dumps(conditional()))
    assert resolve("docker", path, options) == docker.seccomp(
        f"--security-opt=seccomp={path}", *options
    )


@pytest.mark.parametrize("options", ADDED_AND_DROPPED, ids=" ".join)
def test_podman_adds_and_drops_the_same(
    podman: Podman, tmp_path: Path, options: tuple[str, ...]
) -> None:
    path = tmp_path / "profile.json"
    path.write_text(json.dumps(conditional()))
    found = resolve("podman", path, options)
    if found is None:
        refused = podman.cli("create", *options, "localhost/seclatch-test", check=False)
        assert refused.returncode == 125
    else:
        assert found == podman.seccomp(f"--security-opt=seccomp={path}", *options)


def test_podmans_own_default(podman: Podman) -> None:
    theirs = podman.seccomp()
    assert ours(CONTAINERS_COMMON.read_text(), Engine.PODMAN, PODMAN_CAPS) == theirs


def test_from_docker_profile_to_live_filter(docker: Docker) -> None:
    """For Docker's own default, config.json compiled equals the filter of the program."""
    run = ["run", "--detach", "--network=none", "seclatch-test", "/bin/sleep", "600"]
    container = docker.cli(*run).stdout.strip()
    try:
        pid = docker.cli("inspect", "--format={{.State.Pid}}", container).stdout
        filters = read_filters(int(pid))
        resolved = parse_profile(json.dumps(take(docker.kept)), "config.json")
        program = compile_profile(resolved, runtime=Runtime.RUNC)
        assert len(filters) == 1
        assert filters[0] in (program.code, *program.alternatives)
    finally:
        docker.cli("rm", "--force", container)


def test_from_podmans_default_to_live_filter(podman: Podman) -> None:
    base = ["run", "--detach", "--network=none", "--log-driver=none", "localhost/seclatch-test"]
    container = podman.cli(*base, "/bin/sleep", "600").stdout.strip()
    try:
        pid = podman.cli("inspect", "--format={{.State.Pid}}", container).stdout
        filters = read_filters(int(pid))
        resolved = parse_profile(json.dumps(take(podman.kept)), "config.json")
        program = compile_profile(resolved, runtime=Runtime.RUNC)
        assert len(filters) == 1
        assert filters[0] in (program.code, *program.alternatives)
    finally:
        podman.cli("rm", "--force", "--time=0", container)


def test_the_empty_profile_is_no_seccomp(docker: Docker, tmp_path: Path) -> None:
    (tmp_path / "empty.json").write_text("{}")
    assert docker.seccomp(f"--security-opt=seccomp={tmp_path}/empty.json") == {}
    profile = load_profile(tmp_path / "empty.json")
    assert resolve_profile(profile, arch=NATIVE, caps=frozenset(), kernel=(6, 1)) is None
