"""The tracer exits when it should, and its death never leaves a program without its filter."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.latch.oci import (
    Bundle,
    Runtime,
    case,
    created,
    is_alive,
    running,
    runs,
    status,
    tracers,
    wait_until,
)

pytestmark = pytest.mark.root
MakeBundle = Callable[..., Bundle]


def test_created_containers_are_traced_until_started(latched: Runtime, bundle: MakeBundle) -> None:
    before = tracers()
    made = bundle(["/bin/sleep", "100"], seccomp=case("stali-like"))
    with created(latched, made) as pid:
        # one tracer, however many processes the runtime used
        (tracer,) = wait_until(lambda: len(t := tracers() - before) == 1 and t, "one tracer")
        assert status(pid)["TracerPid"] == str(tracer)
        assert latched("start", made.id).returncode == 0
        wait_until(lambda: not is_alive(tracer), "the tracer to leave")
        assert runs(pid, "/bin/sleep")


def test_created_then_deleted(latched: Runtime, bundle: MakeBundle) -> None:
    before = tracers()
    made = bundle(["/bin/sleep", "100"], seccomp=case("stali-like"))
    with created(latched, made):
        assert tracers() - before
    wait_until(lambda: not tracers() - before, "the tracer to end with the container")


def test_foreground_run_outlives_the_tracer(latched: Runtime, bundle: MakeBundle) -> None:
    before = tracers()
    made = bundle(["/bin/cat"], seccomp=case("stali-like"))
    process = subprocess.Popen(
        latched.argv("run", "--bundle", made.path, made.id),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin and process.stdout
    process.stdin.write(b"hello\n")
    process.stdin.flush()
    assert process.stdout.readline() == b"hello\n"
    wait_until(lambda: not tracers() - before, "the tracer to leave")
    process.stdin.close()
    assert process.wait(60) == 0


@pytest.mark.parametrize("filtered", [True, False])
def test_the_runtime_is_not_traced_any_more(
    latched: Runtime, bundle: MakeBundle, filtered: bool
) -> None:
    made = bundle(["/bin/sleep", "100"], seccomp=case("stali-like") if filtered else None)
    process = subprocess.Popen(latched.argv("run", "--bundle", made.path, made.id))
    try:
        wait_until(lambda: '"running"' in latched("state", made.id).stdout, "the container")
        wait_until(lambda: status(process.pid)["TracerPid"] == "0", "the tracer to leave")
    finally:
        latched("kill", made.id, "KILL")
        assert process.wait(60) == 128 + signal.SIGKILL


def test_a_stopped_init_stays_stopped(latched: Runtime, bundle: MakeBundle) -> None:
    made = bundle(["/bin/sleep", "100"], seccomp=case("stali-like"))
    with created(latched, made) as pid:
        os.kill(pid, signal.SIGSTOP)
        wait_until(lambda: status(pid)["State"][0] in "tT", "the stop")
        start = subprocess.Popen(latched.argv("start", made.id))
        time.sleep(0.3)
        assert not runs(pid, "/bin/sleep")
        os.kill(pid, signal.SIGCONT)
        assert start.wait(60) == 0
        wait_until(lambda: runs(pid, "/bin/sleep"), "the program")


@pytest.mark.parametrize("moment", range(12))
def test_killing_the_tracer_frees_no_program(
    latched: Runtime, bundle: MakeBundle, no_new_privileges: bool, moment: int
) -> None:
    """The program runs with the filter from its first instruction (1: EPERM), or not at all."""
    profile = {
        "defaultAction": "SCMP_ACT_ERRNO",
        "syscalls": [{"names": ["exit_group"], "action": "SCMP_ACT_ALLOW"}],
    }
    made = bundle(["/bin/first_denied"], seccomp=profile, no_new_privileges=no_new_privileges)
    before = tracers()
    process = subprocess.Popen(
        latched.argv("run", "--bundle", made.path, made.id),
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    time.sleep(moment * 0.003)
    for tracer in tracers() - before:
        os.kill(tracer, signal.SIGKILL)
    try:
        assert process.wait(10) != 0
    except subprocess.TimeoutExpired:  # a Go runtime whose futex is denied may spin for ever
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    latched("delete", "--force", made.id)


def test_a_tracer_killed_while_the_container_waits(
    latched: Runtime, bundle: MakeBundle, no_new_privileges: bool
) -> None:
    made = bundle(
        ["/bin/sleep", "100"], seccomp=case("exit-only"), no_new_privileges=no_new_privileges
    )
    before = tracers()
    with created(latched, made) as pid:
        for tracer in wait_until(lambda: tracers() - before, "the tracer"):
            os.kill(tracer, signal.SIGKILL)
        wait_until(lambda: not tracers() - before, "the tracer's end")
        latched("start", made.id, timeout=60)
        time.sleep(0.1)
        assert not runs(pid, "/bin/sleep")


def test_fifty_at_once(latched: Runtime, bundle: MakeBundle) -> None:
    bundles = [bundle(["/bin/exit42"], seccomp=case("exit-only")) for _ in range(50)]
    processes = [
        subprocess.Popen(latched.argv("run", "--bundle", made.path, made.id)) for made in bundles
    ]
    assert [process.wait(120) for process in processes] == [42] * 50


def test_exec_while_others_start(latched: Runtime, bundle: MakeBundle) -> None:
    target = bundle(["/bin/sleep", "100"], seccomp=case("stali-like"))
    others = [bundle(["/bin/exit42"], seccomp=case("exit-only")) for _ in range(10)]
    statuses: list[int] = []

    def start_others() -> None:
        for made in others:
            statuses.append(latched("run", "--bundle", made.path, made.id).returncode)

    with running(latched, target):
        thread = threading.Thread(target=start_others)
        thread.start()
        done = [latched("exec", target.id, "/bin/exit42").returncode for _ in range(10)]
        thread.join()
    assert (done, statuses) == ([42] * 10, [42] * 10)


def test_no_zombie_is_left_with_a_caller_that_reaps(
    latched: Runtime, bundle: MakeBundle, tmp_path: Path
) -> None:
    """A subreaper (containerd-shim, conmon) that waits for its orphans gets no endless one."""
    made = bundle(["/bin/exit42"], seccomp=case("exit-only"))
    script = tmp_path / "reaper.py"
    script.write_text(
        "import ctypes, os, subprocess, sys\n"
        "ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)\n"
        "status = subprocess.run(sys.argv[1:]).returncode\n"
        "try:\n"
        "    while True: os.wait()\n"
        "except ChildProcessError:\n"
        "    sys.exit(status)\n"
    )
    command = ["/usr/bin/python3", script, *latched.argv("run", "--bundle", made.path, made.id)]
    assert subprocess.run(command, timeout=60, check=False).returncode == 42
