"""Unwritable results: an error, and no partial file."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.interface.test_profile_input import COMMANDS, PLAIN, RUN, seclatch, words

JSON = ("check", "test", "compile", "diff")
CASES = [(command, ()) for command in COMMANDS] + [(command, ("--json",)) for command in JSON]


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    path = tmp_path / "plain.json"
    path.write_bytes(PLAIN)
    return path


@pytest.fixture
def other(tmp_path: Path) -> Path:
    path = tmp_path / "other.json"
    path.write_bytes(PLAIN.replace(b"write", b"read"))
    return path


@pytest.mark.parametrize(("command", "more"), CASES)
def test_a_full_disk_is_an_error(
    command: str, more: tuple[str, ...], plain: Path, other: Path
) -> None:
    with Path("/dev/full").open("w") as full:
        done = seclatch(
            *words(command, plain, other),
            *more,
            capture_output=False,
            stdout=full,
            stderr=subprocess.PIPE,
        )
    assert done.returncode == 2
    assert b"No space left on device" in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(("command", "more"), CASES)
def test_a_closed_output_is_an_error(
    command: str, more: tuple[str, ...], plain: Path, other: Path
) -> None:
    """The result must not be lost silently, nor written into a file that took descriptor 1."""
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    line = [sys.executable, "-c", RUN, *words(command, plain, other), *more]
    shell = ["sh", "-c", 'exec "$@" >&-', "sh", *line]
    done = subprocess.run(shell, stderr=subprocess.PIPE, env=env, check=False)
    assert done.returncode == 2
    assert b"standard output is closed" in done.stderr


@pytest.mark.parametrize("command", ["resolve", "compile", "convert", "merge", "intersect"])
@pytest.mark.parametrize("target", ["/dev/full", "none/x", ".", "plain.json/x", "/proc/x"])
def test_an_unwritable_output_is_an_error(
    command: str, target: str, plain: Path, other: Path
) -> None:
    before = {path: path.read_bytes() for path in plain.parent.iterdir()}
    line = [*words(command, plain, other), "-o", target]
    done = seclatch(*line, cwd=plain.parent)
    assert (done.returncode, done.stdout) == (2, b"")
    assert f"writing {target}".encode() in done.stderr
    assert {path: path.read_bytes() for path in plain.parent.iterdir()} == before


@pytest.mark.parametrize("command", ["resolve", "compile", "convert", "merge", "intersect"])
def test_a_failure_leaves_the_old_file(command: str, plain: Path, tmp_path: Path) -> None:
    target = tmp_path / "kept"
    target.write_text("kept")
    bad = tmp_path / "bad.json"
    bad.write_text("[")
    done = seclatch(*words(command, bad, plain), "-o", target)
    assert done.returncode == 2
    assert target.read_text() == "kept"
    assert seclatch(*words(command, plain, plain), "-o", target).returncode == 0
    assert target.read_bytes() not in (b"", b"kept")
    assert {path.name for path in tmp_path.iterdir()} == {"plain.json", "bad.json", "kept"}


def test_a_closed_pipe_is_no_crash(plain: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as pipe:
        line = ["profile", "check", plain]
        done = seclatch(*line, capture_output=False, stdout=pipe, stderr=subprocess.PIPE)
    assert done.returncode in (1, 141)  # click's status or seclatch's
    assert done.stderr == b""
