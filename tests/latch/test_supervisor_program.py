"""The front and the supervisor of a container that asks for a running profile, before its start."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.latch.oci import copy_front

SCRIPT = "#!/bin/sh\nprintf '{report}' >&3\n"
STOP = {"seclatch.running": "web", "seclatch.unready": "stop"}
KEEP = {"seclatch.running": "web", "seclatch.unready": "keep"}
SILENT = {"seclatch.running": "web"}


@pytest.fixture
def front(tmp_path: Path) -> Path:
    return copy_front(tmp_path / "fronts", "seclatch-x", "/bin/true")


def start(
    front: Path, folder: Path, annotations: dict[str, str], *, indent: int | None = None
) -> subprocess.CompletedProcess[str]:
    separators = None if indent else (",", ":")
    config = json.dumps({"annotations": annotations}, indent=indent, separators=separators)
    (folder / "config.json").write_text(config)
    words = [front, "run", "--bundle", folder, "x"]
    env = {"SECLATCH_MODE": "plain"}
    return subprocess.run(words, check=False, env=env, capture_output=True, text=True)


def place(front: Path, report: str, mode: int = 0o755) -> None:
    program = front.parent / "supervisor"
    program.write_text(SCRIPT.format(report=report))
    program.chmod(mode)
    front.with_name("seclatch-x.tighten").symlink_to(program)


@pytest.mark.parametrize("report", ["1", "0"])
def test_supervised_or_nothing_to_do(front: Path, tmp_path: Path, report: str) -> None:
    place(front, report)
    assert start(front, tmp_path, STOP).returncode == 0


def test_a_refusal_is_passed_on_without_control_characters(front: Path, tmp_path: Path) -> None:
    place(front, r'Rno \033[31m"profile"\nmake one')
    done = start(front, tmp_path, KEEP)
    assert done.returncode == 125
    assert "nothing was started: no ?[31m?profile?. What to do: make one" in done.stderr


@pytest.mark.parametrize(
    ("report", "mode", "reason"),
    [
        ("", 0o755, "ended without a report"),
        ("?", 0o755, "is not understood"),
        ("1", 0o757, "others than root can change it"),
        ("1", 0o644, "Permission denied"),
        (None, 0, "are not enabled here"),
    ],
)
@pytest.mark.parametrize("indent", [None, 2])
def test_without_a_supervisor_the_annotation_decides(
    front: Path, tmp_path: Path, report: str | None, mode: int, reason: str, indent: int | None
) -> None:
    """A plain `keep` goes on, and so does one that says nothing; all else is not started."""
    if report is not None:
        place(front, report, mode)
    done = start(front, tmp_path, STOP, indent=indent)
    assert done.returncode == 125
    assert reason in done.stderr
    assert start(front, tmp_path, STOP | {"seclatch.unready": "Keep"}).returncode == 125
    for_one = {"seclatch.unready.web": "stop"}
    assert start(front, tmp_path, KEEP | for_one, indent=indent).returncode == 125
    assert start(front, tmp_path, KEEP, indent=indent).returncode == 0
    assert start(front, tmp_path, SILENT).returncode == 0


def test_a_container_that_asks_for_nothing(front: Path, tmp_path: Path) -> None:
    place(front, "Rno")
    assert start(front, tmp_path, {"seclatch.record": "x"}).returncode == 0
