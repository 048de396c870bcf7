"""seclatch-tighten under the address and undefined-behaviour sanitizers, with its worker."""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Compiler
from tests.native.conftest import NATIVE, SANITIZED
from tests.tighten.binding import BOUND, NO_MKDIR, finish, in_flight

pytestmark = pytest.mark.root
SOURCES = [*sorted((NATIVE / "tighten").glob("*.c")), NATIVE / "inject.c", NATIVE / "wait.c"]


def test_clean(compiler: Compiler, tmp_path: Path) -> None:
    program = tmp_path / "seclatch-tighten"
    words = [*SANITIZED, f"-I{NATIVE}/tighten", "-o", program, *SOURCES]
    subprocess.run(words, check=True)
    (tmp_path / "good").write_bytes(NO_MKDIR)
    (tmp_path / "bad").write_bytes(os.urandom(32767))
    # LeakSanitizer uses ptrace itself
    env = {**os.environ, "ASAN_OPTIONS": f"detect_leaks=0:log_path={tmp_path}/finding"}

    def run(name: str, *words: object) -> int:
        with (tmp_path / name).open("rb") as file:
            fd = str(file.fileno())
            command = [program, *(fd if word == "FD" else str(word) for word in words)]
            done = subprocess.run(
                command, env=env, pass_fds=(file.fileno(),), capture_output=True, check=False
            )
            return done.returncode

    with contextlib.ExitStack() as stack:
        bound = {}
        for kind in ("epoll", "nanosleep", "threads", "divergent"):
            flight = in_flight(compiler("in_flight"), kind, 2.0)
            process = bound[kind] = stack.enter_context(flight)
            assert run("good", "--dry-run", "--fd", "FD", process.pid) == 0
            assert run("good", "--fd", "FD", process.pid) == 0
            if kind == "epoll":  # all processes of this machine
                whole = ("--namespace-of", process.pid, "--dry-run")
                assert run("good", "--fd", "FD", *whole) in (0, 3)
        for kind, process in bound.items():
            assert finish(process) == (BOUND, ""), kind
    assert run("bad", "--fd", "FD", os.getpid()) == 2
    for wrong in (
        ["--fd", "FD"],
        ["--fd", "x", "1"],
        ["--flags", "1", "1"],
        ["--cgroup"],
        ["--fd", "FD", "0"],
        ["--fd", "FD", "--cgroup", "/", "1"],
        ["--wait", "99999999999999999999"],
        ["--what"],
    ):
        assert run("good", *wrong) == 2, wrong
    assert run("good", "--fd", "FD", "--cgroup", "/nowhere") == 3
    assert run("good", "--help") == 0
    found = list(tmp_path.glob("finding*"))
    assert not found, found[0].read_text()
