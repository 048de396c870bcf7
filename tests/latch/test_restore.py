"""`checkpoint` and `restore` pass through: CRIU restores filters itself, without an exec."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.latch.oci import Bundle, Runtime, case, status, tracers, wait_until

pytestmark = pytest.mark.root


def require_criu() -> None:
    problem = "criu is not installed"
    if shutil.which("criu"):
        done = subprocess.run(["criu", "check"], capture_output=True, text=True, check=False)
        problem = "" if done.returncode == 0 else f"criu check: {done.stdout}{done.stderr}"
    if problem:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(problem)


def test_a_restored_container_is_under_its_filter(
    bundle: Callable[..., Bundle], tmp_path: Path
) -> None:
    """Use the strict profile, under which the bare runtime starts nothing."""
    require_criu()
    runtime = Runtime("runc")
    made = bundle(["/bin/sh", "-c", "while :; do /bin/sleep 1; done"], seccomp=case("stali-like"))
    images = ["--image-path", tmp_path / "images", "--work-path", tmp_path / "work"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "capture_output": False}
    before = tracers()
    try:
        assert runtime("run", "--detach", "--bundle", made.path, made.id, **quiet).returncode == 0
        done = runtime("checkpoint", *images, made.id)
        assert done.returncode == 0, done.stderr
        done = runtime("restore", "--detach", *images, "--bundle", made.path, made.id, **quiet)
        assert done.returncode == 0
        assert tracers() == before
        pid = json.loads(runtime("state", made.id).stdout)["pid"]
        facts = wait_until(lambda: (s := status(pid))["TracerPid"] == "0" and s, "criu to leave")
        assert (facts["Seccomp"], facts["Seccomp_filters"]) == ("2", "1")
    finally:
        runtime("delete", "--force", made.id)
