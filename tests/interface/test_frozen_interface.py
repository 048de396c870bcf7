"""What docs/stability.md promises: options, formats and exit statuses of the first release."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from seclatch.data import DATA
from tests.unit.report.starts import start
from tools.frozen import TABLE, find_missing, read_interface

PAGE = (Path(__file__).parents[2] / "docs" / "stability.md").read_text()
ROWS = re.findall(r"^\| `seclatch (.*)` \| (\d+) \|$", PAGE, re.MULTILINE)
BIN = Path(sys.executable).parent


def test_no_option_and_no_property_has_gone() -> None:
    assert find_missing(json.loads(TABLE.read_text()), read_interface()) == []


def test_what_goes_is_found() -> None:
    now = read_interface()
    old = json.loads(json.dumps(now))
    old["options"]["seclatch run"].append("--gone")
    old["options"]["seclatch old"] = []
    old["formats"]["ps-1"].append("processes[].gone!")
    assert find_missing(old, now) == [
        "options: seclatch run: --gone",
        "options: seclatch old: ",
        "formats: ps-1: processes[].gone!",
    ]


def test_the_page_names_existing_schemas() -> None:
    named = set(re.findall(r"`([a-z-]+-1)\.json`", PAGE))
    assert len(named) >= 5
    assert named <= {path.stem for path in (DATA / "schemas").glob("*.json")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the files that the rows of the page name."""
    from seclatch.recording.files.recording_file import write_recording

    folder = tmp_path_factory.mktemp("frozen")
    files = {
        "strict.json": (DATA / "examples/strict.json").read_text(),
        "loose.json": '{"defaultAction": "SCMP_ACT_ALLOW"}',
        "broken.json": "{",
        "right.txt": "x86_64 mount() ERRNO(EPERM)\n",
        "wrong.txt": "x86_64 mount() ALLOW\n",
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    write_recording(folder / "recorded.json", start(latched=True))
    return folder


@pytest.mark.parametrize(("command", "status"), ROWS)
def test_an_exit_status(folder: Path, command: str, status: str) -> None:
    done = subprocess.run(
        [BIN / "seclatch", *shlex.split(command)],
        cwd=folder,
        env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == int(status), done.stderr


def test_each_kind_of_status_is_tried() -> None:
    assert {int(status) for _, status in ROWS} == {0, 1, 2, 7, 125, 126, 127, 137}
