"""The life of a profile: recorded, tried, amended, enforced, amended after an upgrade.

On a real server, busybox's httpd under `seclatch run`.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.latch.oci import SCRIPTS

pytestmark = pytest.mark.root
SECLATCH = str(SCRIPTS / "seclatch")
SERVE = (
    "echo hello > /tmp/index.html; httpd -p 8080 -h /tmp; "
    "(echo GET / HTTP/1.0; echo) | nc 127.0.0.1 8080 | tail -n 1"
)


def seclatch(folder: Path, *words: str, status: int = 0) -> str:
    done = subprocess.run(
        [SECLATCH, *words],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == status, done.stderr
    return done.stdout + done.stderr


def serve(folder: Path, script: str, profile: str = "", recording: str = "") -> str:
    """Run the server, under a profile and recorded if asked for."""
    chosen = ["--profile", profile] if profile else []
    words = ["run", *chosen, "--", "sh", "-c", script]
    if not recording:
        return seclatch(folder, *words)
    return seclatch(folder, "record", "-q", "-o", recording, "--", SECLATCH, *words)


def allowed(folder: Path, profile: str) -> set[str]:
    rules = json.loads((folder / profile).read_text())["syscalls"]
    return {name for rule in rules for name in rule["names"] if rule["action"] == "SCMP_ACT_ALLOW"}


def test_a_profile_lives_from_the_first_start_to_an_upgrade(tmp_path: Path) -> None:
    assert "hello" in serve(tmp_path, SERVE, recording="first.json")
    seclatch(tmp_path, "generate", "-o", "web.json", "first.json")
    seclatch(tmp_path, "profile", "audit", "web.json", "-o", "trial.json")

    more = f"{SERVE}; ln -s index.html /tmp/latest && echo linked"
    assert "linked" not in serve(tmp_path, f"{more}; true", "web.json")
    assert "linked" in serve(tmp_path, more, "trial.json", recording="work.json")
    shown = seclatch(tmp_path, "amend", "trial.json", "--from", "work.json", "--yes")
    assert "+ symlink: logged once" in shown
    assert "symlink" in allowed(tmp_path, "trial.json")

    words = ["--enforce", "--yes", "-o", "web.json"]
    seclatch(tmp_path, "amend", "trial.json", *words, status=2)
    assert "symlink" not in allowed(tmp_path, "web.json")
    seclatch(tmp_path, "amend", "trial.json", "--quiet-for", "0", *words)
    assert "linked" in serve(tmp_path, more, "web.json")

    upgrade = f"{more}; chroot / true; sync"
    serve(tmp_path, upgrade, "web.json", recording="upgrade.json")
    before = allowed(tmp_path, "web.json")
    shown = seclatch(
        tmp_path, "amend", "web.json", "--from", "upgrade.json", "--ignore", "chroot", "--yes"
    )
    added = allowed(tmp_path, "web.json") - before
    assert "sync" in added and "chroot" not in added, shown
    assert (tmp_path / "web.json.ignored").read_text().endswith("\nchroot\n")
