"""`seclatch doctor` on hosts with engines: running or stopped, with the latch and without."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines.conftest import require
from tests.engines.containerd import Containerd
from tests.engines.docker import Docker
from tests.engines.host import ENVIRONMENT, PrivateHost
from tests.engines.installing import MAIN, SOURCES, Administrator

CONFIG = "/etc/docker/daemon.json"


@pytest.fixture
def dockerd(own_host: PrivateHost, tmp_path: Path) -> Iterator[Docker]:
    require(*Docker.programs)
    own_host.path(CONFIG).parent.mkdir(exist_ok=True)
    docker = Docker(own_host, {}, config=CONFIG).begin(tmp_path / "dockerd.log")
    yield docker
    docker.stop()


def examine(seclatch: Administrator, **environment: str) -> dict[str, dict[str, str]]:
    path = f"{seclatch.latches}:{ENVIRONMENT['PATH']}"
    done = seclatch.host.run(
        sys.executable,
        "-c",
        MAIN,
        "doctor",
        "--json",
        env={"PYTHONPATH": str(SOURCES), "PATH": path, **environment},
        timeout=150,
    )
    assert done.stderr == ""
    return {check["name"]: check for check in json.loads(done.stdout)["checks"]}


@pytest.mark.parametrize("runtime", ["runc", "crun"])
def test_a_container_through_docker(dockerd: Docker, seclatch: Administrator, runtime: str) -> None:
    before = examine(seclatch, DOCKER_HOST=dockerd.address)
    assert "the latch is not installed" in before["docker"]["found"]
    assert "does not answer" not in before["docker"]["found"]
    assert "a latched container (docker)" not in before
    seclatch.must("install", "docker", "--runtime", runtime)
    found = examine(seclatch, DOCKER_HOST=dockerd.address)
    assert found["docker"]["state"] == "ok"
    trial = found["a latched container (docker)"]
    assert (trial["state"], trial["found"]) == (
        "ok",
        "boots with execve denied, and is under its filter",
    )
    assert dockerd.must("images", "--quiet") == dockerd.must("ps", "--all", "--quiet") == ""


def test_a_daemon_that_is_not_running(own_host: PrivateHost, seclatch: Administrator) -> None:
    require(*Docker.programs)
    seclatch.must("install", "docker")
    found = examine(seclatch)
    check = found["docker"]
    assert (check["state"], check["remedy"]) == ("note", "systemctl start docker")
    assert "its daemon does not answer" in check["found"]
    assert "a latched container (docker)" not in found


def test_a_latch_that_docker_cannot_start(dockerd: Docker, seclatch: Administrator) -> None:
    seclatch.must("install", "docker")
    front = seclatch.host.path("/usr/local/lib/seclatch/docker/runc")
    front.chmod(0o644)
    trial = examine(seclatch, DOCKER_HOST=dockerd.address)["a latched container (docker)"]
    assert trial["state"] == "fail"
    assert "permission denied" in trial["found"]
    assert dockerd.must("images", "--quiet") == ""


def test_a_container_through_podman(own_host: PrivateHost, seclatch: Administrator) -> None:
    require("podman", "conmon", "crun")
    seclatch.write(
        "/etc/containers/containers.conf",
        f'[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
        f'[containers]\ncgroup_parent = "/{own_host.group}"\n',
    )
    # The host's own storage, over which /var/lib here is an overlay, may use another driver.
    seclatch.write(
        "/etc/containers/storage.conf",
        '[storage]\ndriver = "vfs"\nrunroot = "/run/podman-run"\ngraphroot = "/run/podman-graph"\n',
    )
    seclatch.must("install", "podman")
    trial = examine(seclatch)["a latched container (podman)"]
    assert trial["state"] == "ok", trial
    assert own_host.run("podman", "ps", "--all", "--quiet").stdout == ""


def test_a_container_through_containerd(
    own_host: PrivateHost, seclatch: Administrator, image: Path, tmp_path: Path
) -> None:
    require(*Containerd.programs)
    seclatch.must("install", "containerd", "--runtime", "runc")
    containerd = Containerd(own_host, {}).begin(tmp_path / "log")
    address = str(containerd.directory / "containerd.sock")
    trial = examine(seclatch, CONTAINERD_ADDRESS=address, CONTAINERD_NAMESPACE=own_host.group)[
        "a latched container (containerd)"
    ]
    assert trial["state"] == "ok", trial
    assert containerd.must("containers", "ls", "--quiet") == ""
    containerd.stop()
