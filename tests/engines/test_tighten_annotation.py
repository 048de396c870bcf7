"""Tighten containers by annotation, installed on real engines as an administrator does."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.engines.engine import Engine
from tests.engines.host import PrivateHost, wait_until
from tests.engines.installing import Administrator
from tests.engines.system_log import system_log
from tests.engines.test_record_annotation import fresh  # noqa: F401 (a fixture)

PROFILES = "/etc/seclatch/running"
INSTALL = ("--tighten-annotations",)
SERVER = "mkdir /tmp/boot && sleep 1 && echo serving && exec busybox httpd -f -p 8080"


@pytest.fixture
def log(own_host: PrivateHost, tmp_path: Path) -> Iterator[Callable[[], list[str]]]:
    with system_log(own_host, tmp_path / "system.log") as lines:
        yield lines


def write_profile(host: PrivateHost, name: str = "web") -> Path:
    """Write a running profile that takes mkdir away."""
    rule = {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 12}
    folder = host.path(PROFILES)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}))
    return path


def annotated(engine: Engine, runtime: str, **values: str) -> dict[str, object]:
    """Return the options of a container with these annotations below `seclatch.`."""
    front = f"/usr/local/lib/seclatch/containerd/{runtime}"
    chosen = front if engine.name == "containerd" else "seclatch"
    extra = [
        word
        for key, value in values.items()
        for word in ("--annotation", f"seclatch.{key}={value}")
    ]
    return {"runtime": chosen, "extra": extra}


def expect(condition: Callable[[], object], log: Callable[[], list[str]]) -> None:
    """Wait until the condition holds; show the system log if it does not."""
    try:
        wait_until(condition, "the running profile")
    except AssertionError as error:
        raise AssertionError(f"{error}; system log:\n" + "\n".join(log())) from error


def count_filters(engine: Engine, container: str) -> int:
    return int(engine.host.status(engine.pid(container))["Seccomp_filters"])


@pytest.mark.parametrize("runtime", ["runc", "crun"])
def test_tightened_once_ready_with_its_sessions(
    fresh: Engine,
    seclatch: Administrator,
    log: Callable[[], list[str]],
    runtime: str,
) -> None:
    host = fresh.host
    seclatch.must("install", fresh.name, "--runtime", runtime, *INSTALL)
    write_profile(host)
    ready = {"running": "web", "ready": "listen:8080"}
    container = fresh.detach("/bin/sh", "-c", SERVER, **annotated(fresh, runtime, **ready))
    before = count_filters(fresh, container)
    expect(lambda: count_filters(fresh, container) == before + 1, log)
    wait_until(lambda: any("tightened to" in line for line in log()), "the line in the journal")
    done = fresh.exec(container, "/bin/mkdir", "/tmp/session")
    assert done.returncode != 0
    assert fresh.exec(container, "/bin/true").returncode == 0
