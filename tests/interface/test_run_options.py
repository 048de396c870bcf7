"""Options of `seclatch run` after its command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.interface.test_main import seclatch


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    file = tmp_path / "strict.json"
    file.write_text(json.dumps({"defaultAction": "SCMP_ACT_ERRNO"}))
    return file


@pytest.mark.parametrize(
    "words",
    [
        ["true", "--profile", "FILE"],
        ["true", "--profile=FILE"],
        ["--hostname", "x", "true", "-x", "--no-new-privs"],
        ["true", "--cap-drop", "ALL"],
    ],
)
def test_an_option_of_ours_behind_the_command_is_refused(words: list[str], profile: Path) -> None:
    line = [word.replace("FILE", str(profile)) for word in words]
    done = seclatch("run", *line)
    assert (done.returncode, done.stdout) == (2, "")
    assert "after the command true would be an argument of that command" in done.stderr


@pytest.mark.parametrize(
    "words",
    [["--", "true", "--profile", "x"], ["sh", "-c", "--", "--profile"], ["echo", "--tty", "-u"]],
)
def test_the_command_s_own_options_are_passed(words: list[str], tmp_path: Path) -> None:
    done = seclatch("run", "--rootfs", str(tmp_path), "--dry-run", *words)
    assert done.returncode == 0, done.stderr
    args = json.loads(done.stdout)["process"]["args"]
    assert args == [word for word in words if word != "--" or words[0] != "--"]
