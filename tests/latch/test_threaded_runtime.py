"""A stand-in for multi-threaded runtimes whose helpers ask to be traced (runc >= 1.2).

The distribution has none. See tests/programs/threaded_runtime.c for what it does.
"""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Compiler
from tests.latch.oci import copy_front, is_alive, pids_cgroup, status, tracers, wait_until

pytestmark = pytest.mark.root


@pytest.fixture
def front(tmp_path: Path, compiler: Compiler) -> Path:
    return copy_front(tmp_path / "fronts", "seclatch-x", compiler("threaded_runtime"))


def start(program: Path, target: Path, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [program, "create", target],
        text=True,
        stderr=subprocess.PIPE,
        env={**os.environ, **environment},
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    _, stderr = process.communicate(timeout=60)
    return process.returncode, stderr


def test_the_bare_runtime_fails_under_its_own_filter(compiler: Compiler) -> None:
    assert finish(start(compiler("threaded_runtime"), compiler("exit42")))[0] != 42


def test_its_helpers_and_init_work(front: Path, compiler: Compiler) -> None:
    assert finish(start(front, compiler("exit42"))) == (42, "")


def test_the_filter_holds_from_the_first_instruction(front: Path, compiler: Compiler) -> None:
    target = compiler("first_denied")
    assert finish(start(front, target)) == (1, "")
    assert finish(start(front, target, STANDIN_NO_FILTER="1")) == (0, "")


def test_a_hook_of_the_filtered_init_is_bound(
    front: Path, compiler: Compiler, tmp_path: Path
) -> None:
    """The hook gets EPERM for its first call: the filter is in force. The program runs after it."""
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


@pytest.fixture
def waiting(
    front: Path, compiler: Compiler, tmp_path: Path
) -> Iterator[tuple[subprocess.Popen[str], Path, int]]:
    """Yield a runtime that waits before it makes its init; the file to create; its tracer."""
    before = tracers()
    go = tmp_path / "go"
    process = start(front, compiler("exit42"), STANDIN_WAIT=str(go))
    try:
        wait_until(lambda: int(status(process.pid)["Threads"]) > 4, "the runtime's threads")
        (tracer,) = wait_until(lambda: tracers() - before, "the tracer")
        yield process, go, tracer
    finally:
        process.kill()
        process.wait()


Waiting = tuple[subprocess.Popen[str], Path, int]


def test_a_stopped_runtime_stays_stopped(waiting: Waiting) -> None:
    process, go, _ = waiting
    process.send_signal(signal.SIGSTOP)
    wait_until(lambda: status(process.pid)["State"][0] in "tT", "the stop")
    go.touch()
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.3)
    process.send_signal(signal.SIGCONT)
    assert finish(process) == (42, "")


def test_signals_reach_the_runtime(waiting: Waiting) -> None:
    process, _, tracer = waiting
    process.send_signal(signal.SIGTERM)
    assert finish(process)[0] == -signal.SIGTERM
    wait_until(lambda: not is_alive(tracer), "the tracer's end")


def test_the_tracer_keeps_no_resources_of_the_caller(waiting: Waiting) -> None:
    process, go, tracer = waiting
    files = Path(f"/proc/{tracer}/fd")
    wait_until(lambda: not list(files.iterdir()), "the tracer's files to be closed")
    assert Path(f"/proc/{tracer}/cwd").readlink() == Path("/")
    assert status(tracer)["PPid"] not in {str(process.pid), str(os.getpid())}
    assert os.getsid(tracer) == tracer
    go.touch()
    assert finish(process) == (42, "")


def test_the_filter_applies_when_the_tracer_is_killed(waiting: Waiting) -> None:
    process, go, tracer = waiting
    os.kill(tracer, signal.SIGKILL)
    wait_until(lambda: status(process.pid)["TracerPid"] == "0", "the detaching")
    go.touch()
    assert finish(process)[0] != 42


def test_a_program_s_own_filter_binds_it(front: Path, compiler: Compiler) -> None:
    """Start a program without a container's filter, in the host's namespaces: its own must bind."""
    target = compiler("own_filter")
    environment = {"STANDIN_NO_FILTER": "1", "STANDIN_NO_UNSHARE": "1"}
    assert finish(start(compiler("threaded_runtime"), target, **environment)) == (7, "")
    assert finish(start(front, target, **environment)) == (7, "")


def test_an_init_that_cannot_be_followed_is_not_let_go(waiting: Waiting, tmp_path: Path) -> None:
    """There is no room for the second tracer: a pids cgroup with only the first one in it."""
    process, go, tracer = waiting
    with pids_cgroup(tmp_path.name, "1") as group:
        (group / "cgroup.procs").write_text(str(tracer))
        go.touch()
        assert finish(process)[0] == 128 + signal.SIGKILL


def test_a_late_refusal_reaches_a_relative_log(
    front: Path, compiler: Compiler, tmp_path: Path
) -> None:
    before, go = tracers(), tmp_path / "go"
    process = subprocess.Popen(
        [front, "--log", "late.log", "create", compiler("exit42")],
        text=True,
        stderr=subprocess.PIPE,
        env={**os.environ, "STANDIN_WAIT": str(go), "STANDIN_SKIP": "2"},
    )
    wait_until(lambda: int(status(process.pid)["Threads"]) > 4, "the runtime's threads")
    (tracer,) = wait_until(lambda: tracers() - before, "the tracer")
    with pids_cgroup(tmp_path.name, "1") as group:
        (group / "cgroup.procs").write_text(str(tracer))
        go.touch()
        assert finish(process)[0] == 128 + signal.SIGKILL
    assert "no process or memory left for the tracer" in (tmp_path / "late.log").read_text()
    assert not Path("/late.log").exists()


def test_a_thread_that_is_not_traced(front: Path, compiler: Compiler) -> None:
    """Its exec would not be seen, and the filter never loaded that is held until then."""
    status_, stderr = finish(
        start(
            front,
            compiler("first_denied"),
            SECLATCH_MODE="gate",
            STANDIN_NO_NEW_PRIVS="1",
            STANDIN_OTHER_EXECS="untraced",
        )
    )
    assert status_ == 128 + signal.SIGKILL
    assert "nothing was started" in stderr


def test_another_thread_execs_than_the_one_that_has_loaded(
    front: Path, compiler: Compiler, tmp_path: Path
) -> None:
    """By hold its program would have no filter if it went on without the tracer (a stand-in)."""
    report, program = tmp_path / "report", compiler("first_denied")
    words = ["STANDIN_NO_NEW_PRIVS=1", "STANDIN_OTHER_EXECS=1", "SECLATCH_MODE=gate"]
    command = ["env", *words, str(front), "create", str(program)]
    seen: Counter[int] = Counter()
    for point in itertools.count():
        killer = [compiler("kill_tracer"), report, "2", f"+{point}", "20", *command]
        subprocess.run(killer, check=True, stdin=subprocess.DEVNULL)
        printed = dict(word.split("=") for word in report.read_text().split())
        seen[int(printed["status"])] += 1
        if printed["killed"] == "0":
            break
    bound, dead = 1 << 8, (128 + signal.SIGKILL) << 8
    assert set(seen) == {bound, dead}
    assert int(printed["status"]) == bound
    assert seen.total() > 50
