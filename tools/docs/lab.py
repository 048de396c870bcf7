"""The equipment of the listings: real runtimes and a real private dockerd, recorded."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from seclatch.model.recording.recording import Recording
from seclatch.recording.files import recording_file
from seclatch.runtime.find_latch import find_latch
from tests.engines.docker import Docker
from tests.engines.host import ENVIRONMENT, PrivateHost
from tests.engines.image import make_archive, make_rootfs
from tests.latch.oci import SCRIPTS, Bundle, Runtime, make_bundle
from tools.docs.pages import ROOT

STRICT = ROOT / "tests" / "data" / "stali-like.json"
ALLOW = {
    "defaultAction": "SCMP_ACT_ALLOW",
    "syscalls": [
        {"names": ["add_key"], "action": "SCMP_ACT_ERRNO"},
    ],
}
"""Binds, and denies nobody here anything: it shows what is made under a filter."""


class Lab:
    """Resources that are made when they are first used, and removed at the end."""

    def __init__(self, *, checking: bool = False) -> None:
        self.checking = checking
        self._stack = contextlib.ExitStack()
        self.folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    @cached_property
    def rootfs(self) -> Path:
        """Make a root directory with busybox."""
        return make_rootfs(self.folder / "rootfs")

    @cached_property
    def allow(self) -> Path:
        """Write the profile that denies no call that matters."""
        file = self.folder / "allow.json"
        file.write_text(json.dumps(ALLOW))
        return file

    @cached_property
    def docker(self) -> Docker:
        """Start a dockerd in a private host, with runc, crun and latches as runtimes."""
        host = PrivateHost().start()
        self._stack.callback(host.close)
        latch = find_latch("runc")
        fronts = {}
        for name in ("runc", "crun"):
            front = self.folder / "fronts" / name / name
            front.parent.mkdir(parents=True)
            front.write_bytes(latch.read_bytes())
            front.chmod(0o755)
            program = next(
                p for p in (Path("/usr/sbin", name), Path("/usr/bin", name)) if p.exists()
            )
            front.with_name(f"{name}.runtime").symlink_to(program)
            fronts |= {name: program, f"latched-{name}": front}
        docker = Docker(host, fronts).begin(self.folder / "dockerd.log")
        self._stack.callback(docker.stop)
        docker.load(make_archive(self.rootfs, self.folder / "image.tar"))
        return docker

    def daemons(self) -> set[int]:
        """Return the pids, on the machine, of the private dockerd and its containerd."""
        return set(below(self.docker.daemon.process.pid, levels=2))

    def scratch(self, name: str) -> Path:
        """Make a directory for a page's commands, with a strict profile in it."""
        folder = self.folder / "pages" / name
        if not folder.exists():
            folder.mkdir(parents=True)
            (folder / "strict.json").write_bytes(STRICT.read_bytes())
        return folder

    def run(self, *words: str | Path, folder: Path = STRICT.parent) -> str:
        """Run a command, with seclatch on PATH; return its output, whatever its status."""
        path = f"{SCRIPTS}:{ENVIRONMENT['PATH']}"
        done = subprocess.run(
            [*map(str, words)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
            cwd=folder,
            env=ENVIRONMENT | {"PATH": path, "COLUMNS": "100", "NO_COLOR": "1"},
        )
        return done.stdout

    def record(self, *words: str | Path) -> Recording:
        """Record a command."""
        file = self.folder / "recording.json"
        file.unlink(missing_ok=True)
        output = self.run("seclatch", "record", "-q", "-o", file, "--", *words)
        if not file.exists():
            raise RuntimeError(output)
        return recording_file.read_recording(file)

    def record_docker(self, *command: str, **options: Any) -> Recording:
        """Record `docker run`."""
        docker, file = self.docker, self.folder / "docker.json"
        words = docker.words(docker.new_name(), options, command)
        client = ["docker", "-H", docker.address, "run", "--rm", *words]
        subprocess.run(
            [SCRIPTS / "seclatch", "record", "-q", "-o", file, "--", *docker.host.argv(*client)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=os.environ | ENVIRONMENT,
            check=False,
        )
        return recording_file.read_recording(file)

    @contextlib.contextmanager
    def bundle(self, *args: str, no_new_privileges: bool = False) -> Iterator[Bundle]:
        """Make a bundle of the rootfs under the allowing profile."""
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            yield make_bundle(
                Path(folder),
                self.rootfs,
                list(args),
                seccomp=ALLOW,
                no_new_privileges=no_new_privileges,
            )


def below(pid: int, levels: int) -> Iterator[int]:
    """List a process' children, and their children."""
    for task in Path(f"/proc/{pid}/task").iterdir():  # each thread has its own children
        for child in map(int, (task / "children").read_text().split()):
            yield child
            if levels > 1:
                yield from below(child, levels - 1)


def bare(name: str) -> Runtime:
    """Return the path of runc or crun without the latch."""
    return Runtime(name, latched=False)
