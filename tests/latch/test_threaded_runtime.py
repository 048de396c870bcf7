"""Multi-threaded runtimes whose helpers ask to be traced (runc >= 1.2), by a stand-in: the
distribution has none.  See tests/programs/threaded_runtime.c for what it does."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Compiler
from tests.latch.oci import copy_front, is_alive, status, tracers, wait_until

pytestmark = pytest.mark.root


@pytest.fixture
def front(tmp_path: Path, compiler: Compiler) -> Path:
    return copy_front(tmp_path / "fronts", "seclatch-x", compiler("threaded_runtime"))


def start(program: Path, target: Path, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [program, "create", target], text=True, stderr=subprocess.PIPE,
        env={**os.environ, **environment},
    )  # fmt: skip


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    _, stderr = process.communicate(timeout=20)
    return process.returncode, stderr


def test_bare_it_trips_over_its_own_filter(compiler: Compiler) -> None:
    assert finish(start(compiler("threaded_runtime"), compiler("exit42")))[0] != 42


def test_its_helpers_and_init_work(front: Path, compiler: Compiler) -> None:
    assert finish(start(front, compiler("exit42"))) == (42, "")


def test_the_filter_holds_from_the_first_instruction(front: Path, compiler: Compiler) -> None:
    target = compiler("first_denied")
    assert finish(start(front, target)) == (1, "")
    assert finish(start(front, target, STANDIN_NO_FILTER="1")) == (0, "")


def test_a_hook_of_the_filtered_init_is_bound_and_not_the_end(
    front: Path, compiler: Compiler, tmp_path: Path
) -> None:
    """The hook gets EPERM for its first call, so the filter held; the program runs after it."""
    hook = compiler("first_denied")
    status_, stderr = finish(start(front, compiler("exit42"), STANDIN_HOOK=str(hook)))
    assert status_ == 105
    assert "hook" in stderr
    good = compiler("exit0")
    assert finish(start(front, compiler("exit42"), STANDIN_HOOK=str(good))) == (42, "")


def test_a_hook_on_the_host_is_not_traced(front: Path, compiler: Compiler, tmp_path: Path) -> None:
    """It may itself trace (here: a shell that reads its TracerPid)."""
    hook = tmp_path / "hook"
    hook.write_text(f"#!/bin/sh\ngrep TracerPid /proc/$$/status >{tmp_path}/seen\n")
    hook.chmod(0o755)
    assert finish(start(front, compiler("exit42"), STANDIN_HOST_HOOK=str(hook))) == (42, "")
    assert (tmp_path / "seen").read_text().split() == ["TracerPid:", "0"]


def waiting(front: Path, compiler: Compiler, tmp_path: Path) -> tuple[Any, Path, int]:
    """A runtime that waits, traced, before it makes its init."""
    before = tracers()
    go = tmp_path / "go"
    process = start(front, compiler("exit42"), STANDIN_WAIT=str(go))
    wait_until(lambda: int(status(process.pid)["Threads"]) > 4, "the runtime's threads")
    (tracer,) = wait_until(lambda: tracers() - before, "the tracer")
    return process, go, tracer


def test_a_stopped_runtime_stays_stopped(front: Path, compiler: Compiler, tmp_path: Path) -> None:
    process, go, _ = waiting(front, compiler, tmp_path)
    process.send_signal(signal.SIGSTOP)
    wait_until(lambda: status(process.pid)["State"][0] in "tT", "the stop")
    go.touch()
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.3)
    process.send_signal(signal.SIGCONT)
    assert finish(process) == (42, "")


def test_signals_reach_the_runtime(front: Path, compiler: Compiler, tmp_path: Path) -> None:
    process, _, tracer = waiting(front, compiler, tmp_path)
    process.send_signal(signal.SIGTERM)
    assert finish(process)[0] == -signal.SIGTERM
    wait_until(lambda: not is_alive(tracer), "the tracer's end")


def test_the_tracer_holds_nothing_of_the_caller(
    front: Path, compiler: Compiler, tmp_path: Path
) -> None:
    process, go, tracer = waiting(front, compiler, tmp_path)
    wait_until(
        lambda: not list(Path(f"/proc/{tracer}/fd").iterdir()), "the tracer's files to be closed"
    )
    assert Path(f"/proc/{tracer}/cwd").readlink() == Path("/")
    assert status(tracer)["PPid"] not in {str(process.pid), str(os.getpid())}
    assert os.getsid(tracer) == tracer
    go.touch()
    assert finish(process) == (42, "")


def test_the_filter_applies_when_the_tracer_is_killed(
    front: Path, compiler: Compiler, tmp_path: Path
) -> None:
    process, go, tracer = waiting(front, compiler, tmp_path)
    os.kill(tracer, signal.SIGKILL)
    wait_until(lambda: status(process.pid)["TracerPid"] == "0", "the detaching")
    go.touch()
    status_, _stderr = finish(process)
    assert status_ != 42
