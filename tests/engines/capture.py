"""Capture the config.json that a real engine writes, by a runtime that copies it and execs runc."""

import json
import os
import shutil
import subprocess
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest

from tests.engines.bundles import BUSYBOX

KEEP = """#!/bin/sh
# Engines name the bundle with --bundle or -b, in one word or two.
next=
for word in "$@"; do
  [ -n "$next" ] && bundle=$word && next=
  case $word in --bundle|-b) next=1;; --bundle=*) bundle=${{word#--bundle=}};; esac
done
[ -n "$bundle" ] && cp "$bundle/config.json" {kept}
exec runc "$@"
"""


def make_runtime(folder: Path) -> tuple[Path, Path]:
    """Write the runtime; return its path and the path of the config.json that it copies."""
    kept = folder / "kept.json"
    runtime = folder / "runc"
    runtime.write_text(KEEP.format(kept=kept))
    runtime.chmod(0o755)
    return runtime, kept


def make_image(folder: Path) -> Path:
    """Pack a root file system that contains busybox alone as a tar archive."""
    assert BUSYBOX, "install busybox-static"
    image = folder / "image.tar"
    with tarfile.open(image, "w") as tar:
        for applet in ("true", "sleep"):
            tar.add(BUSYBOX, f"bin/{applet}")
    return image


def take(kept: Path) -> dict[str, Any]:
    value = json.loads(kept.read_text())
    kept.unlink()
    return value["linux"].get("seccomp", {})


class Docker:
    """A private dockerd: own socket, directories and containerd; no network."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = f"unix://{folder}/docker.sock"
        runtime, self.kept = make_runtime(folder)
        self.log = (folder / "dockerd.log").open("w")
        options = {
            "data-root": folder / "data",
            "exec-root": folder / "exec",
            "pidfile": folder / "pid",
            "host": self.socket,
            "add-runtime": f"keep={runtime}",
            "default-runtime": "keep",
            "bridge": "none",
            "iptables": "false",
            "ip6tables": "false",
            "storage-driver": "vfs",
        }
        (folder / "daemon.json").write_text("{}")
        # It mounts its data directory onto itself, and leaves that mount where "/" is private.
        own_mounts = ["unshare", "--mount", "--propagation", "private"]
        command = [*own_mounts, "dockerd", f"--config-file={folder}/daemon.json"]
        command += [f"--{name}={value}" for name, value in options.items()]
        self.daemon = subprocess.Popen(command, stdout=self.log, stderr=self.log)

    def start(self) -> None:
        while self.cli("version", check=False).returncode:
            assert self.daemon.poll() is None, (self.folder / "dockerd.log").read_text()[-2000:]
            time.sleep(0.1)
        self.cli("import", str(make_image(self.folder)), "seclatch-test")

    def cli(self, *args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        command = ["docker", "--host", self.socket, *args]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0 or not check, done.stderr
        return done

    def seccomp(self, *options: str) -> dict[str, Any]:
        """Run a container with these options and return its `linux.seccomp`."""
        base = ["run", "--rm", "--network=none", *options, "seclatch-test", "/bin/true"]
        # a profile may well prevent the start: only config.json matters
        self.cli(*base, check=False)
        return take(self.kept)

    def stop(self) -> None:
        self.daemon.terminate()
        self.daemon.wait(60)
        self.log.close()


class Podman:
    """Podman with private directories."""

    def __init__(self, folder: Path) -> None:
        runtime, self.kept = make_runtime(folder)
        self.base = [
            "podman",
            f"--root={folder}/root",
            f"--runroot={folder}/run",
            f"--tmpdir={folder}/tmp",
            "--storage-driver=vfs",
            f"--runtime={runtime}",
            "--cgroup-manager=cgroupfs",
        ]
        self.env = os.environ | {"XDG_CONFIG_HOME": str(folder)}
        self.cli("import", str(make_image(folder)), "localhost/seclatch-test")

    def cli(self, *args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*self.base, *args], capture_output=True, text=True, check=False, env=self.env
        )
        assert done.returncode == 0 or not check, done.stderr
        return done

    def seccomp(self, *options: str) -> dict[str, Any]:
        """Run a container with these options and return its `linux.seccomp`."""
        base = ["run", "--rm", "--network=none", "--log-driver=none", *options]
        done = self.cli(*base, "localhost/seclatch-test", "/bin/true", check=False)
        assert self.kept.exists(), done.stderr
        return take(self.kept)


def require(*programs: str) -> None:
    """Skip when a program is missing, with the reason; in CI that is a failure."""
    missing = [program for program in programs if not shutil.which(program)]
    if missing and not os.environ.get("CI"):
        pytest.skip(f"not installed here: {', '.join(missing)}")
    assert not missing
