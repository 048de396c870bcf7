"""`seclatch watch` on containers of the real engines: container, rule, exec session."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engines.docker import Docker
from tests.engines.engine import Engine
from tests.engines.host import ENVIRONMENT, PrivateHost
from tests.engines.image import IMAGE
from tests.watch.conftest import Watched, start_watch

RUN = "from seclatch.cli.main import main; main()"
FIRST = "mkdir /tmp/first; mkdir /tmp/first; exec sleep 1000"

# Every runtime gets through it without the latch; runc asks for faccessat2 and goes on without.
PROFILE: dict[str, Any] = {
    "defaultAction": "SCMP_ACT_ALLOW",
    "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
    "syscalls": [
        {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 13},
        {"names": ["faccessat2"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38},
        {"names": ["rmdir"], "action": "SCMP_ACT_KILL_PROCESS"},
    ],
}

WatchInside = Callable[..., contextlib.AbstractContextManager[Watched]]


@pytest.fixture
def profile(host: PrivateHost, tmp_path: Path) -> Path:
    path = tmp_path / "given.json"
    path.write_text(json.dumps(PROFILE))
    return path


@pytest.fixture
def watch(host: PrivateHost, monkeypatch: pytest.MonkeyPatch) -> WatchInside:
    """Provide the command, run inside the private host."""

    @contextlib.contextmanager
    def run(*words: str | Path) -> Iterator[Watched]:
        environment = [f"{name}={value}" for name, value in ENVIRONMENT.items()]
        path = f"PYTHONPATH={os.pathsep.join(sys.path)}"
        command = ["env", *environment, path, sys.executable, "-c", RUN, "watch", "--json", *words]
        # nsenter waits for its child: signals go to that
        with start_watch(host.argv(*map(str, command)), through_parent=True) as watched:
            yield watched

    return run


def test_a_container_its_program_and_an_exec_session(
    engine: Engine, runtime: str, profile: Path, watch: WatchInside
) -> None:
    chosen = {} if engine.name == "docker" and runtime == "runc" else {"runtime": runtime}
    with watch("--profile", profile) as watched:
        name = engine.detach("/bin/sh", "-c", FIRST, profile=profile, **chosen)
        engine.exec(name, "/bin/mkdir", "/tmp/second")
        killed = engine.exec(name, "/bin/busybox", "rmdir", "/tmp/none")
    assert killed.returncode != 0
    mine = [one for one in watched.denials if one.container and one.container.name == name]
    assert {one.container.image for one in mine if one.container} == {IMAGE}
    assert {one.container.engine for one in mine if one.container} == {engine.name}
    seen: dict[tuple[str, str, str, str], int] = {}
    for one in mine:
        if one.stage != "runtime":
            key = (one.stage, one.syscall, "".join(one.arguments), one.errno or one.answer)
            seen[key] = seen.get(key, 0) + one.count
    assert seen == {
        ("program", "mkdir", '"/tmp/first"', "EACCES"): 2,
        ("exec-session", "mkdir", '"/tmp/second"', "EACCES"): 1,
        ("exec-session", "rmdir", '"/tmp/none"', "kill-process"): 1,
    }
    for one in mine:
        assert one.filter.profile == str(profile)
        assert (one.filter.by, one.filter.index) == ("rule", RULES[one.syscall])
        assert one.exe.endswith("busybox") or one.stage == "runtime"
    denied_to_runc = [one.syscall for one in mine if one.stage == "runtime"]
    assert set(denied_to_runc) == ({"faccessat2"} if runtime == "runc" else set())


RULES = {"mkdir": 0, "faccessat2": 1, "rmdir": 2}


def test_only_one_container_or_image(docker: Docker, profile: Path, watch: WatchInside) -> None:
    first = docker.detach("/bin/sh", "-c", FIRST, profile=profile)
    with (
        watch("--container", first) as one,
        watch("--image", IMAGE) as image,
        watch("--image", "x") as none,
    ):
        docker.exec(first, "/bin/mkdir", "/tmp/x")
        # one that ends at once may have an id alone: no image to be selected by (docs/watch.md)
        docker.detach("/bin/sh", "-c", "mkdir /tmp/y; exec sleep 1000", profile=profile)
        image.read_until(lambda: len(list_folders(image)) == 2)
    assert {each.container.name for each in one.denials if each.container} == {first}
    assert list_folders(image) == {'"/tmp/x"', '"/tmp/y"'}
    assert none.denials == []
    docker.clear()


def list_folders(watched: Watched) -> set[str]:
    """Return those that programs were not allowed to make."""
    return {"".join(one.arguments) for one in watched.denials if one.syscall == "mkdir"}


def test_it_survives_a_restart_of_the_engine(
    docker: Docker, profile: Path, watch: WatchInside, tmp_path: Path
) -> None:
    with watch() as watched:
        docker.stop()
        docker.begin(tmp_path / "log")
        name = docker.detach("/bin/sh", "-c", FIRST, profile=profile)
        docker.exec(name, "/bin/mkdir", "/tmp/second")
    named = [one for one in watched.denials if one.container and one.container.name == name]
    assert {one.syscall for one in named} >= {"mkdir"}
    assert watched.status == 0
    docker.clear()
