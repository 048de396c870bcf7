"""`seclatch explain` of what it has not started: a running container, and the next that fails."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.explain.conftest import SECLATCH
from tests.latch.oci import Bundle, Runtime, wait_until

pytestmark = pytest.mark.root
Make = Callable[..., Bundle]
NO_MKDIR = {
    "defaultAction": "SCMP_ACT_ALLOW",
    "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}],
}
# It begins once the file `go` is there, and fails over mkdir.
WAITS = ["/bin/sh", "-c", "until [ -e /tmp/go ]; do /bin/sleep 0.1; done; /bin/mkdir /tmp/d"]


class Waiting:
    """A `seclatch explain` that follows something; it says so when it begins."""

    def __init__(self, words: Sequence[str], file: Path) -> None:
        self._file = file
        command = [SECLATCH, "explain", "--json", "-o", str(file), *words]
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self._process.stderr is not None
        self.begun = self._process.stderr.readline()

    def finish(self) -> dict[str, Any]:
        """Wait for its end, and return its explanation."""
        try:
            _, said = self._process.communicate(timeout=60)
        finally:
            self._process.kill()
        assert self._file.exists(), said
        document: dict[str, Any] = json.loads(self._file.read_text())
        return document

    @property
    def status(self) -> int:
        return self._process.wait(60)


def shared(bundle: Make, folder: Path) -> Bundle:
    """Make a bundle whose /tmp is a folder of this test."""
    made = bundle(WAITS, seccomp=NO_MKDIR)
    mount = {"destination": "/tmp", "type": "bind", "source": str(folder), "options": ["bind"]}
    made.config["mounts"].append(mount)
    made.write()
    return made


def is_stopped(runtime: Runtime, made: Bundle) -> bool:
    return "stopped" in runtime("state", made.id).stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "shared"
    made.mkdir()
    return made


@pytest.mark.parametrize("name", ["runc", "crun"])
def test_a_container_that_runs(bundle: Make, name: str, folder: Path, tmp_path: Path) -> None:
    """Its profile is read from its own configuration, and compiled as its runtime does."""
    made, runtime = shared(bundle, folder), Runtime(name, latched=False)
    runtime("create", "--bundle", made.path, made.id, capture_output=False)
    try:
        runtime("start", made.id)
        wait_until(lambda: '"running"' in runtime("state", made.id).stdout, "its start")
        waiting = Waiting(["--container", made.id], tmp_path / "why.json")
        assert "until it ends" in waiting.begun
        (folder / "go").touch()
        found = waiting.finish()
    finally:
        runtime("delete", "--force", made.id)
    assert (found["seccomp"], found["cause"]) == (True, "program-denied"), found
    [fatal] = [one for one in found["denials"] if one["fatal"]]
    assert fatal["rule"]["by"] == "rule"
    assert made.id in fatal["rule"]["profile"]
    assert waiting.status == 1


@pytest.mark.parametrize("name", ["runc", "crun"])
def test_the_next_that_fails(bundle: Make, name: str, folder: Path, tmp_path: Path) -> None:
    """Another container that ends well, and one of another name that fails, are not it."""
    runtime = Runtime(name, latched=False)
    wanted = shared(bundle, folder)
    (folder / "go").touch()
    others = [bundle(["/bin/true"], seccomp=NO_MKDIR), bundle(["/bin/exit42"], seccomp=NO_MKDIR)]
    waiting = Waiting(["--next", "--name", wanted.id], tmp_path / "why.json")
    for made in (*others, wanted):
        try:
            runtime("create", "--bundle", made.path, made.id, capture_output=False)
            runtime("start", made.id)
            wait_until(partial(is_stopped, runtime, made), "its end")
        finally:
            runtime("delete", "--force", made.id)
    found = waiting.finish()
    assert (found["seccomp"], found["cause"]) == (True, "program-denied"), found
    assert {one["syscall"] for one in found["denials"]} == {"mkdir"}
    assert waiting.status == 1


def test_none_that_fails(tmp_path: Path) -> None:
    words = [SECLATCH, "explain", "--next", "--name", "no-such-container", "--seconds", "0.5"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, "")
    assert "no container failed" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["--next", "--container", "web"],
        ["--container", "web", "--", "true"],
        ["--name", "web", "--", "true"],
        ["--next", "--runtime", "crun"],
        [],
    ],
)
def test_options_that_contradict(words: list[str]) -> None:
    done = subprocess.run([SECLATCH, "explain", *words], capture_output=True, check=False)
    assert done.returncode == 2
