"""Filters read by stopping the process: the target continues undisturbed.

The targets' filter kills for restart_syscall, by which the kernel continues a sleep that a stop has
interrupted.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
from pathlib import Path

import pytest

from seclatch.errors import SeclatchError
from seclatch.process.kernel.kernel_filters import read_kernel
from seclatch.system import procfs
from seclatch.system import read_filters as ptrace
from seclatch.system.read_filters import read_filters
from tests.conftest import Compiler
from tests.latch.oci import wait_until

pytestmark = pytest.mark.root

FREEZER = Path("/sys/fs/cgroup/freezer")
ENDS = {
    "nanosleep": "0 Success",
    "clock_nanosleep": "0 Success",
    "poll": "0 Success",
    "futex": "-1 Connection timed out",
    "pause": "-1 Interrupted system call",
    "read": "-1 Interrupted system call",
    "spin": "0 Success",
}


def start(program: Path, *words: str) -> subprocess.Popen[str]:
    process = subprocess.Popen([program, *words], stdout=subprocess.PIPE, text=True)
    assert process.stdout and process.stdout.readline() == "ready\n"
    return process


def await_state(pid: int, *letters: str) -> None:
    """Wait until it sleeps (or runs): the state after the name in brackets."""
    stat = Path(f"/proc/{pid}/stat")
    wait_until(lambda: stat.read_text().rpartition(") ")[2][0] in letters, f"one of {letters}")


def test_sleeps_go_on_to_their_ends(compiler: Compiler) -> None:
    """Each is read while it sleeps; then all are waited for, since each takes two seconds."""
    with contextlib.ExitStack() as stack:
        sleepers = {}
        for call in ENDS:
            process = sleepers[call] = stack.enter_context(start(compiler("sleeper"), call))
            await_state(process.pid, "R" if call == "spin" else "S")
            for _ in range(5):
                assert [len(code) for code in read_filters(process.pid)] == [32], call
        for call, process in sleepers.items():
            assert process.stdout
            result, _, milliseconds = process.stdout.readline().strip().rpartition(" ")
            assert (call, result, process.wait()) == (call, ENDS[call], 0)
            assert int(milliseconds) >= 1990, call


def test_without_the_second_step_detaching_kills_it(
    compiler: Compiler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: without the second step the target dies of SIGSYS."""
    monkeypatch.setattr(ptrace, "_is_restarted", lambda _tid: False)
    with start(compiler("sleeper"), "nanosleep") as process:
        await_state(process.pid, "S")
        assert len(read_filters(process.pid)) == 1
        assert process.wait() == -signal.SIGSYS


def test_a_target_whose_call_would_fail_is_not_stopped(compiler: Compiler) -> None:
    with start(compiler("sleeper"), "epoll_wait") as process:
        await_state(process.pid, "S")
        with pytest.raises(SeclatchError, match="it waits in epoll_wait, which fails"):
            read_filters(process.pid)
        assert len(read_kernel(process.pid)[process.pid].layers) == 1
        assert process.stdout and process.stdout.readline().startswith("0 Success")


def test_the_kernel_is_read_without_any_effect(compiler: Compiler) -> None:
    with start(compiler("sleeper"), "nanosleep") as process:
        await_state(process.pid, "S")
        for _ in range(20):
            assert process.pid in read_kernel(process.pid)
        switches = [
            line
            for line in Path(f"/proc/{process.pid}/status").read_text().splitlines()
            if "ctxt_switches" in line
        ]
        assert process.stdout and process.stdout.readline().startswith("0 Success")
    assert switches[0].split()[1] <= "3"  # it was not even woken


def test_a_stopped_target_stays_stopped(compiler: Compiler) -> None:
    with start(compiler("sleeper"), "pause", "100") as process:
        await_state(process.pid, "S")
        os.kill(process.pid, signal.SIGSTOP)
        await_state(process.pid, "T")
        assert len(read_filters(process.pid)) == 1
        await_state(process.pid, "T")
        assert process.pid in read_kernel(process.pid)
        os.kill(process.pid, signal.SIGCONT)
        await_state(process.pid, "S")
        os.kill(process.pid, signal.SIGALRM)
        assert process.wait() == 0


def test_signals_are_not_lost(compiler: Compiler) -> None:
    """A signal that arrives with the stop is delivered: every one of many."""
    words = [compiler("under_filter"), compiler("counter")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout and process.stdout.readline() == "ready\n"
            for number in range(1, 101):
                os.kill(process.pid, signal.SIGUSR1)
                read_filters(process.pid)
                assert process.stdout.readline() == f"{number:03}\n"
        finally:
            process.kill()


def test_ignored_signals_do_not_end_the_sleep(
    compiler: Compiler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tracees stop for ignored signals too (kernel/signal.c, sig_ignored), and restart the sleep.

    Before the first stop, while stopped, and just after the sleep was restarted.
    """
    with contextlib.ExitStack() as stack:
        sleepers = []
        for moment in range(1, 5):
            process = stack.enter_context(start(compiler("sleeper"), "nanosleep"))
            await_state(process.pid, "S")
            with monkeypatch.context() as patch:
                assert annoy_while_read(patch, process.pid, moment) > moment
            sleepers.append(process)
        for moment, process in enumerate(sleepers, 1):
            assert process.stdout
            line = process.stdout.readline()
            assert line.startswith("0 Success"), (moment, process.wait())


def annoy_while_read(patch: pytest.MonkeyPatch, pid: int, moment: int) -> int:
    """Read the filters, with an ignored signal at that moment; return how often it was stopped."""
    asked = itertools.count(1)
    look = procfs.read_current_call

    def annoy(tid: int) -> int | None:
        number = next(asked)
        found = look(tid)
        if number == moment or 3 <= number < moment:
            os.kill(tid, signal.SIGWINCH)
        return found if number < 3 or number > moment else None  # not to be detached yet

    patch.setattr(ptrace, "read_current_call", annoy)
    assert len(read_filters(pid)) == 1
    return next(asked)


def test_a_traced_process(compiler: Compiler) -> None:
    with subprocess.Popen(
        ["strace", "-qq", "-o", "/dev/null", compiler("sleeper"), "pause"],
        stdout=subprocess.PIPE,
        text=True,
    ) as tracer:
        assert tracer.stdout and tracer.stdout.readline() == "ready\n"
        children = Path(f"/proc/{tracer.pid}/task/{tracer.pid}/children").read_text()
        pid = int(children.split()[0])
        with pytest.raises(SeclatchError, match="it is traced already, by process"):
            read_filters(pid)
        assert len(read_kernel(pid)[pid].layers) == 1  # the kernel reads it nevertheless
        os.kill(pid, signal.SIGKILL)


@pytest.mark.skipif(not FREEZER.is_dir(), reason="no control groups of version 1")
def test_a_frozen_process(compiler: Compiler) -> None:
    """Freeze it as `docker pause` does; the tracer detaches, and it continues when thawed."""
    group = FREEZER / f"seclatch-test-{os.getpid()}"
    group.mkdir()
    with start(compiler("sleeper"), "nanosleep") as process:
        try:
            (group / "tasks").write_text(str(process.pid))
            (group / "freezer.state").write_text("FROZEN")
            await_state(process.pid, "D")
            with pytest.raises(SeclatchError, match="frozen with its control group") as caught:
                read_filters(process.pid)
        finally:
            (group / "freezer.state").write_text("THAWED")
        assert "docker unpause" in caught.value.remedy
        assert process.stdout and process.stdout.readline().startswith("0 Success")
    wait_until(lambda: not (group / "tasks").read_text(), "the cgroup to be empty")
    group.rmdir()


def test_exited_processes() -> None:
    with subprocess.Popen(["true"]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        with pytest.raises(SeclatchError, match="it has ended"):
            read_filters(process.pid)
    with pytest.raises(SeclatchError, match="there is no such process"):
        read_filters(process.pid)
