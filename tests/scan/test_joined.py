"""A profile from a short recording and a scan starts its container and allows unrecorded calls."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.root
BUSYBOX = "/bin/busybox"


def seclatch(*words: str | os.PathLike[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "seclatch", *map(os.fspath, words)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Record `echo` alone, and scan the program."""
    place = tmp_path_factory.mktemp("joined")
    run = [sys.executable, "-m", "seclatch", "run", "--", "sh", "-c", "echo seen"]
    recorded = seclatch("record", "-o", place / "recording.json", "--", *run)
    assert recorded.returncode == 0, recorded.stderr
    scanned = seclatch("scan", "--entrypoint", BUSYBOX, "-o", place / "scan.json", "/")
    assert scanned.returncode == 0, scanned.stderr
    return place


def profile(place: Path, policy: str, *options: str) -> tuple[Path, str]:
    path = place / f"{policy}.json"
    done = seclatch(
        "generate",
        place / "recording.json",
        "--scan",
        place / "scan.json",
        "--policy",
        policy,
        "--differences",
        "-o",
        path,
        *options,
    )
    assert done.returncode == 0, done.stderr
    return path, done.stderr


HIDDEN = "mkdir /tmp/d && mv /tmp/d /tmp/e && rmdir /tmp/e && ls -l / >/dev/null && kill -0 $$"


def test_unrecorded_calls_work_only_with_the_scan(made: Path) -> None:
    strict, _ = profile(made, "recorded", "--exact")
    joined, message = profile(made, "recorded+plausible")
    refused = seclatch("run", "--profile", strict, "--", "sh", "-c", HIDDEN)
    assert refused.returncode != 0
    borne = seclatch("run", "--profile", joined, "--", "sh", "-c", HIDDEN)
    assert borne.returncode == 0, borne.stderr
    assert "mkdir: allowed: the program can make it" in message


def test_dangerous_calls_are_left_out_unless_requested(made: Path) -> None:
    joined, message = profile(made, "recorded+plausible")
    assert "mount: left out: never seen, and dangerous" in message
    limited, message = profile(made, "static")
    assert "mount" not in allowed(limited) and "--wider" in message
    whole, _ = profile(made, "static", "--wider", "mount")
    mount = "mount -t tmpfs none /mnt 2>&1 || true"
    assert "mount" not in allowed(joined) and "mount" in allowed(whole)
    done = seclatch("run", "--profile", joined, "--cap-add", "SYS_ADMIN", "--", "sh", "-c", mount)
    assert "Operation not permitted" in done.stdout or "permission denied" in done.stdout


def allowed(path: Path) -> set[str]:
    rules = json.loads(path.read_text())["syscalls"]
    return {name for rule in rules if rule["action"] == "SCMP_ACT_ALLOW" for name in rule["names"]}
