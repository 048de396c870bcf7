"""A program sees nothing of being bound, whatever system call it is in.

Its own filter kills for seccomp, prctl, munmap, mprotect and restart_syscall. `make moments` tries
each kind of call at 200 moments, this file at one.
"""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import Compiler
from tests.latch.oci import wait_until
from tests.tighten.binding import (
    BOUND,
    DISTURBED,
    UNBOUND,
    count_filters,
    deny,
    finish,
    in_flight,
    tighten,
)
from tests.tighten.moments import KINDS, TIMED, try_kind

pytestmark = pytest.mark.root


def test_every_kind_goes_on_undisturbed(compiler: Compiler) -> None:
    """Eight at a time, so that moments differ; as many as `make moments`."""
    program = compiler("in_flight")
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda kind: try_kind(program, kind), (*KINDS, *TIMED)))
    assert [each for each in found if not each.is_fine] == []


def test_without_it_mkdir_is_not_denied(compiler: Compiler) -> None:
    with in_flight(compiler("in_flight"), "read", 0.3) as process:
        assert finish(process) == (UNBOUND, "")


def test_a_bare_stop_is_seen(compiler: Compiler) -> None:
    """The trap is real: epoll_wait fails with EINTR when the process is stopped and goes on."""
    with in_flight(compiler("in_flight"), "epoll", 1.0) as process:
        time.sleep(0.2)
        os.kill(process.pid, signal.SIGSTOP)
        time.sleep(0.1)
        os.kill(process.pid, signal.SIGCONT)
        status, complaint = finish(process)
    assert status == DISTURBED and "Interrupted system call" in complaint


def test_a_handler_still_ends_the_call(compiler: Compiler) -> None:
    """A signal with a handler ends epoll_wait and pause as before."""
    with in_flight(compiler("in_flight"), "epoll", 2.0) as process:
        time.sleep(0.2)
        assert tighten(process.pid).state(process.pid) == "bound"
        os.kill(process.pid, signal.SIGUSR1)
        status, complaint = finish(process)
    assert status == DISTURBED and "Interrupted system call" in complaint


def test_a_signal_meanwhile_is_neither_lost_nor_late(compiler: Compiler) -> None:
    """pause(2) ends by the one signal that it gets, whenever in a binding that comes.

    The filters differ, and none denies what the program needs: without rt_sigreturn(2), which ends
    its handler, it would die by SIGSEGV.
    """
    with in_flight(compiler("in_flight"), "pause", 1.0) as process:
        reports = []
        for number in range(1, 41):
            code = deny([*["mkdir"] * number, "mkdirat"])
            if process.poll() is not None:
                break
            reports.append(tighten(process.pid, code=code))
        # The failure of one run in hundreds has to explain itself: with all that is known of it.
        ended = finish(process)
        assert ended == (BOUND, ""), (process.returncode, number, reports)
        assert len(reports) > 1, (ended, reports)


def test_all_threads_and_later_ones(compiler: Compiler) -> None:
    with in_flight(compiler("in_flight"), "threads", 3.0) as process:
        task = Path(f"/proc/{process.pid}/task")
        wait_until(lambda: len(list(task.iterdir())) == 25, "the threads")
        report = tighten(process.pid)
        assert report.processes[process.pid]["loads"] == "1"  # one was stopped
        assert {count_filters(process.pid, int(each.name)) for each in task.iterdir()} == {2}
        assert finish(process) == (BOUND, "")


def test_threads_whose_filters_differ_load_one_by_one(compiler: Compiler) -> None:
    with in_flight(compiler("in_flight"), "divergent", 3.0) as process:
        task = Path(f"/proc/{process.pid}/task")
        wait_until(lambda: len(list(task.iterdir())) == 25, "the threads")
        time.sleep(0.1)
        report = tighten(process.pid)
        assert report.processes[process.pid]["loads"] == "25"
        assert tighten(process.pid).state(process.pid) == "present"
        assert finish(process) == (BOUND, "")


def test_the_second_time_nothing_is_loaded(compiler: Compiler) -> None:
    with in_flight(compiler("in_flight"), "epoll", 3.0) as process:
        assert tighten(process.pid).state(process.pid) == "bound"
        for _ in range(3):
            assert tighten(process.pid).state(process.pid) == "present"
        assert count_filters(process.pid) == 2
        assert finish(process) == (BOUND, "")
