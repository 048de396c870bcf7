"""What further runs of a command read and write, and what the caller finds afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from seclatch.diagnose.confirm.standard_streams import RepeatedInput, keep_input

PROGRAM = """
import os, subprocess
from seclatch.diagnose.confirm.standard_streams import keep_input
kept = keep_input(takes_input=True, interactive=False)
subprocess.run(["dd", "bs=4", "count=1", "status=none"])
for _ in range(2):
    with kept.redirect():
        subprocess.run(["dd", "bs=8", "count=1", "status=none", "of=again"])
print(os.read(0, 4).decode(), open("again").read(), sep="", end="")
"""


@pytest.mark.parametrize("closed", [(0,), (1,), (0, 1, 2)])
def test_streams_that_are_closed_stay_so(closed: tuple[int, ...]) -> None:
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            for number in closed:
                os.close(number)
            with RepeatedInput().redirect():
                ended = subprocess.run(["true"], check=False).returncode
            now_closed = tuple(number for number in range(3) if not is_open(number))
            status = 0 if (ended, now_closed) == (0, closed) else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def test_the_caller_reads_on_where_the_first_run_ended(tmp_path: Path) -> None:
    """Each further run begins where the first one began."""
    words = tmp_path / "words"
    words.write_text("one\ntwo\nthree\n")
    with words.open() as stream:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            stdin=stream,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            cwd=tmp_path,
        )
    assert done.stdout == "one\ntwo\none\ntwo\n"


def test_a_pipe_cannot_be_read_again() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"from {keep_input.__module__} import keep_input\n"
            "keep_input(takes_input=True, interactive=False)",
        ],
        input=b"one\n",
        stderr=subprocess.PIPE,
        check=False,
    )
    assert b"its standard input is a pipe" in done.stderr
