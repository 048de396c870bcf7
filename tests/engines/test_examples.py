"""compose.yaml, web.container, devcontainer.json, test_suite.py of examples/, with real engines."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from seclatch.data import DATA
from tests.engines.conftest import require
from tests.engines.docker import Docker
from tests.engines.engine import IMAGE
from tests.engines.podman import Podman

EXAMPLES = Path(__file__).parents[2] / "examples"
LOOK = ["/bin/busybox", "grep", "Seccomp:", "/proc/self/status"]
BOUND = ["Seccomp:", "2"]


def adapt(name: str, folder: Path) -> Path:
    """Copy an example, with the test's image and runtime in it, beside the profile."""
    text = (EXAMPLES / name).read_text()
    for old, new in {
        "localhost/web:latest": IMAGE,
        "runtime=seclatch": "runtime=latched-runc",
    }.items():
        text = text.replace(old, new)
    text = text.replace("runtime: seclatch", "runtime: latched-runc")
    copy = folder / name
    copy.write_text(text)
    shutil.copy(DATA / "examples/strict.json", folder / "strict.json")
    return copy


def test_a_service_of_docker_compose(docker: Docker, tmp_path: Path) -> None:
    require("docker-compose")
    file = adapt("compose.yaml", tmp_path)
    compose = ["docker-compose", "--host", docker.address, "--file", file, "--project-name", "one"]
    done = docker.host.run(*compose, "run", "--rm", "web", *LOOK)
    docker.host.run(*compose, "down")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == BOUND


def test_a_development_container(docker: Docker, tmp_path: Path) -> None:
    (tmp_path / ".devcontainer").mkdir()
    file = adapt("devcontainer.json", tmp_path / ".devcontainer")
    options = json.loads(file.read_text())["runArgs"]
    words = [one.replace("${localWorkspaceFolder}", str(tmp_path)) for one in options]
    done = docker.command("run", "--rm", "--network=none", *words, IMAGE, *LOOK)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == BOUND


# Words of the unit's command that need systemd, or name the container after the unit.
SYSTEMD = ("--name", "systemd-%N", "--cidfile", "--replace", "--cgroups=split", "--sdnotify", "-d")


def test_a_quadlet(podman: Podman, tmp_path: Path) -> None:
    """Podman's generator makes a unit of the file, whose command starts a container under it."""
    adapt("web.container", tmp_path)
    made = podman.host.run(
        "/usr/libexec/podman/quadlet", "-dryrun", env={"QUADLET_UNIT_DIRS": str(tmp_path)}
    )
    (start,) = [line for line in made.stdout.splitlines() if line.startswith("ExecStart=")]
    globals_, words = (shlex.split(part) for part in start.split(" run ", 1))
    assert globals_[1:] == ["--runtime=latched-runc"]
    kept = [word for word in words if not word.startswith(SYSTEMD)]
    profile = kept.index("seccomp=/etc/containers/seccomp/strict.json")
    kept[profile] = f"seccomp={tmp_path / 'strict.json'}"
    group = f"--cgroup-parent=/{podman.host.group}"
    done = podman.with_runtime("latched-runc", "run", "--pull=never", group, *kept, *LOOK)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == BOUND


def test_a_test_suite(docker: Docker, tmp_path: Path) -> None:
    file = shutil.copy(EXAMPLES / "test_suite.py", tmp_path)
    shutil.copy(DATA / "examples/strict.json", tmp_path)
    words = ["--seclatch-record=recordings", f"--seclatch-profile={IMAGE}=strict.json", file]
    client = docker.host.argv("docker", "-H", docker.address)
    wrapper = tmp_path / "docker"
    wrapper.write_text(f'#!/bin/sh\nexec {shlex.join(client)} "$@"\n')
    wrapper.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *words],
        cwd=tmp_path,
        env={**os.environ, "ENGINE": str(wrapper), "IMAGE": IMAGE},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout
    assert "2 passed" in done.stdout
    assert f"strict.json does not fit {IMAGE}: it denies" in done.stderr
    assert (
        "  mkdir, of a container started in test_suite.py::test_it_reads_its_files" in done.stderr
    )
