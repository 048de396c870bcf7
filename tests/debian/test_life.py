"""The life of a server's profile: docs/life-of-a-profile.md, each command as it stands there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from pathlib import Path

import pytest

from seclatch.model.denial_log import LoggedDenial, decode_line
from tests.latch.oci import SCRIPTS

PAGE = Path(__file__).parents[2] / "docs/life-of-a-profile.md"
NAME = "life-of-nginx"


def script() -> str:
    section = PAGE.read_text().partition("## A real server\n")[2]
    return "\n".join(re.findall(r"^```sh\n(.*?)^```", section, re.MULTILINE | re.DOTALL))


def allowed(path: Path) -> set[str]:
    rules = json.loads(path.read_text())["syscalls"]
    return {name for rule in rules if rule["action"] == "SCMP_ACT_ALLOW" for name in rule["names"]}


def denied(path: Path) -> set[tuple[str, str]]:
    lines = [decode_line(line) for line in path.read_bytes().splitlines()]
    return {(one.syscall, one.answer) for one in lines if isinstance(one, LoggedDenial)}


@pytest.mark.root
def test_nginx_from_its_first_start_to_an_upgrade() -> None:
    with tempfile.TemporaryDirectory(prefix="sl-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)  # nginx's workers are not root's
        environment = {**os.environ, "PATH": f"{SCRIPTS}:{os.environ['PATH']}"}
        try:
            done = subprocess.run(
                ["bash", "-e", "-c", script()],
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
                timeout=400,
                check=False,
            )
        finally:
            subprocess.run(["runc", "delete", "--force", NAME], capture_output=True, check=False)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
        assert done.stdout.splitlines().count("hello") == 6
        assert "it needs more" in done.stdout and "\n- fstat: called by" in done.stdout
        assert "the new release does not start" in done.stdout
        assert "cannot stat shared object: Operation not permitted" in done.stderr
        assert ("statfs", "log") in denied(folder / "staging.log")
        production = denied(folder / "production.log")
        assert {("fstat", "log"), ("clone3", "errno")} <= production
        assert ("statfs", "errno") not in production
        assert "web.json: nothing to amend" in done.stdout
        profile = json.loads((folder / "web.json").read_text())
        assert profile["defaultAction"] == "SCMP_ACT_ERRNO"
        assert {"fstat", "statfs"} <= allowed(folder / "web.json")
