"""An installed latch after an upgrade of runc, of seclatch, or the removal of what installed it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from seclatch.engines.services.annotation_recorder import PROGRAM
from tests.engines.conftest import require
from tests.engines.docker import Docker
from tests.engines.host import ENVIRONMENT, PrivateHost, wait_until
from tests.engines.installing import SEEN, STRICT, Administrator
from tests.engines.node_recorder import install_recorder, stop_recorder

INSTALLED = "/usr/local/lib/seclatch/docker"
RUNC = "/usr/local/sbin/runc"  # first on PATH, and in the private host's own /usr/local
BOUND = ["Seccomp:", "2"]


@pytest.fixture
def dockerd(own_host: PrivateHost, image: Path, tmp_path: Path) -> Iterator[Docker]:
    """Start a dockerd on a host with a runc of its own, which can be replaced."""
    require(*Docker.programs)
    real = shutil.which("runc", path=ENVIRONMENT["PATH"])
    assert real
    own_host.path("/usr/local/sbin").mkdir(exist_ok=True)
    shutil.copy(real, own_host.path(RUNC))
    config = own_host.path("/etc/docker/daemon.json")
    config.parent.mkdir(exist_ok=True)
    config.write_text("{}\n")
    docker = Docker(own_host, {}, config="/etc/docker/daemon.json").begin(tmp_path / "log")
    docker.load(image)
    yield docker
    docker.stop()


def replace(path: Path) -> None:
    """Replace a program by another file, as a package manager does; ELF ignores what follows it."""
    new = path.with_name(f"{path.name}.dpkg-new")
    shutil.copy(path, new)
    with new.open("ab") as file:
        file.write(b"\0another version")
    new.rename(path)


def look(docker: Docker, *words: str) -> list[str]:
    done = docker.run(*SEEN, runtime="seclatch", profile=STRICT, extra=words)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_runc_is_upgraded_and_removed(dockerd: Docker, seclatch: Administrator) -> None:
    seclatch.must("install", "docker")
    assert dockerd.host.path(f"{INSTALLED}/runc.runtime").readlink() == Path(RUNC)
    sleeper = dockerd.detach("/bin/sleep", "1000", runtime="seclatch", profile=STRICT)

    replace(dockerd.host.path(RUNC))
    assert look(dockerd) == BOUND
    assert dockerd.exec(sleeper, *SEEN).stdout.split() == BOUND
    dockerd.command("kill", sleeper)
    assert dockerd.wait(sleeper) == 137

    dockerd.host.path(RUNC).rename(dockerd.host.path("/usr/local/away"))
    refused = dockerd.run(*SEEN, runtime="seclatch", profile=STRICT)
    assert refused.returncode == 125
    assert "seclatch: nothing was started" in refused.stderr
    assert "What to do: " in refused.stderr
    assert not refused.stdout

    dockerd.host.path("/usr/local/away").rename(dockerd.host.path(RUNC))
    assert look(dockerd) == BOUND


def test_seclatch_is_upgraded(dockerd: Docker, seclatch: Administrator) -> None:
    before = seclatch.tree()
    seclatch.must("install", "docker")
    front = dockerd.host.path(f"{INSTALLED}/runc")
    present = front.read_bytes()
    replace(front)  # as if an older version had installed it
    sleeper = dockerd.detach("/bin/sleep", "1000", runtime="seclatch", profile=STRICT)
    assert look(dockerd) == BOUND, "the old one goes on until `install` runs again"

    seclatch.must("install", "docker")

    assert front.read_bytes() == present
    assert look(dockerd) == BOUND
    assert dockerd.exec(sleeper, *SEEN).stdout.split() == BOUND
    dockerd.remove(sleeper)
    seclatch.must("uninstall", "docker")
    assert seclatch.tree() == before


def test_the_environment_that_installed_it_is_removed(
    dockerd: Docker, seclatch: Administrator
) -> None:
    """The latch needs none of it; the recorder does, once it is started again."""
    before = seclatch.tree()
    install_recorder(seclatch, "docker")
    annotated = ("--annotation", "seclatch.record=web")
    recordings = dockerd.host.path("/var/lib/seclatch/recordings")
    assert look(dockerd, *annotated) == BOUND
    wait_until(lambda: list(recordings.glob("web-*")), "the recording")
    kept = sorted(recordings.glob("web-*"))

    stop_recorder(dockerd.host)
    recorder = dockerd.host.path(PROGRAM)
    script = recorder.read_text()
    assert sys.executable in script
    recorder.write_text(script.replace(sys.executable, "/opt/removed/bin/python3"))

    assert look(dockerd) == BOUND
    assert look(dockerd, *annotated) == BOUND
    assert sorted(recordings.glob("web-*")) == kept

    seclatch.must("install", "docker", "--record-annotations")  # by another installation
    assert recorder.read_text() == script
    for path in kept:
        path.unlink()
    seclatch.must("uninstall", "docker")
    assert seclatch.tree().keys() <= before.keys() | {"/var/lib/seclatch/."}
