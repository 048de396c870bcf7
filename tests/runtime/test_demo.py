"""`seclatch demo`, with real runtimes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from seclatch.demo import run_story
from seclatch.demo.exit_program import EXIT_STATUS, write_exit_program
from seclatch.demo.story import FAILS, Step

SECLATCH = [sys.executable, "-m", "seclatch"]


@pytest.mark.root
@pytest.mark.parametrize("runtime", ["runc", "crun"])
def test_every_run_of_the_demo_ends_as_it_should(runtime: str) -> None:
    ran = subprocess.run(
        [*SECLATCH, "demo", "--runtime", runtime], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "Seccomp:\t2" in ran.stdout
    assert "can't create directory '/tmp/new'" in ran.stderr
    assert "[exit status 42]" in ran.stdout
    assert ran.stdout.count("/proc\n/tmp\n") == 2


def test_the_program_exits_with_its_status(tmp_path: Path) -> None:
    write_exit_program(tmp_path / "exit42")
    assert subprocess.run([tmp_path / "exit42"], check=False).returncode == EXIT_STATUS


@pytest.mark.parametrize(
    ("command", "expected", "failed"),
    [
        ("profile example strict -o strict.json", 0, False),
        ("profile example strict -o strict.json", FAILS, True),
        ("profile test missing.json read()", 2, False),
        ("profile test missing.json read()", FAILS, False),
        ("profile test missing.json read()", 0, True),
    ],
)
def test_a_command_that_ends_otherwise_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, expected: int, failed: bool
) -> None:
    monkeypatch.setattr(run_story, "list_steps", lambda _: [Step("", [(command, expected)])])
    shown: list[str] = []
    reported = run_story.run_story("runc", tmp_path, shown.append)
    assert reported == ([f"seclatch {command}"] if failed else [])
    assert shown[1] == f"$ seclatch {command}"
