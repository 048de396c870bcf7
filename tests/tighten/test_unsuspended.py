"""Processes are bound while their own filter stays in force, as it does without privileges.

That filter allows what is injected, and kills for ptrace(2) and, where SPARES does not name it,
restart_syscall(2), by which an interrupted sleep goes on.
"""

from __future__ import annotations

import os
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from seclatch.system.procfs import list_threads, read_status
from tests.conftest import Compiler
from tests.latch.oci import wait_until
from tests.tighten.binding import (
    BOUND,
    DISTURBED,
    LATE,
    UNBOUND,
    bind_in_flight,
    count_filters,
    finish,
    in_flight,
    tighten,
)

pytestmark = pytest.mark.root

UNTOUCHED = 3
# Sleeps begin again where restart_syscall(2) is denied.
SLEEPS = ("nanosleep", "clock_nanosleep", "poll", "futex", "epoll-timed")
OTHERS = """
epoll pause read recv write spin calls signals vforks forks clones execs threads zombie-leader
""".split()  # noqa: SIM905


@pytest.fixture
def program(compiler: Compiler) -> Path:
    return compiler("in_flight")


def test_calls_in_flight_go_on(program: Path) -> None:
    """Also under a filter that kills for restart_syscall(2): then a sleep takes longer."""

    def try_kind(kind: str) -> tuple[str, object]:
        words = ("--present", 1, "--no-restart")
        report, status, complaint = bind_in_flight(
            program, kind, *words, seconds=0.7, SPARES="seccomp"
        )
        fine = report.status == 0 and status in ((BOUND, LATE) if kind in SLEEPS else (BOUND,))
        return kind, None if fine else (report, status, complaint)

    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(try_kind, (*SLEEPS, *OTHERS)))
    assert [each for each in found if each[1]] == []


def test_a_sleep_goes_on_for_the_rest_where_that_is_allowed(program: Path) -> None:
    words = ("--present", 1)
    report, status, complaint = bind_in_flight(
        program, "nanosleep", *words, SPARES="seccomp restart"
    )
    assert (report.status, status, complaint) == (0, BOUND, "")


def test_by_prctl_the_threads_are_bound_one_by_one(program: Path) -> None:
    """The filter kills for seccomp(2)."""
    words = ("--present", 1, "--no-restart", "--by-prctl")
    with in_flight(program, "threads", 1.5, SPARES="prctl") as process:
        task = Path(f"/proc/{process.pid}/task")
        wait_until(lambda: len(list(task.iterdir())) == 25, "the threads")
        report = tighten(*words, process.pid)
        assert report.state(process.pid) == "bound"
        assert report.processes[process.pid]["loads"] == "25"
        assert {count_filters(process.pid, int(each.name)) for each in task.iterdir()} == {2}
        assert finish(process) == (BOUND, "")


def test_a_process_that_its_filter_ends_is_reported(program: Path) -> None:
    """The caller was wrong about the filter: that is never silent."""
    with in_flight(program, "read", 3.0) as process:
        report = tighten("--present", 1, process.pid)
        assert report.status == 1
        assert (report.state(process.pid), report.reason(process.pid)) == ("unbound", "denied")
        assert process.wait() == -signal.SIGSYS


def test_with_another_number_of_filters_nothing_is_touched(program: Path) -> None:
    """It may have loaded one of its own, which may kill."""
    with in_flight(program, "divergent", 1.0, SPARES="seccomp restart") as process:
        task = Path(f"/proc/{process.pid}/task")
        wait_until(lambda: len(list(task.iterdir())) == 25, "the threads")
        for count in (0, 2):
            report = tighten("--present", count, process.pid)
            assert report.status == UNTOUCHED
            assert report.reason(process.pid) == "other-filters"
        assert finish(process)[0] != BOUND


def test_a_tracer_killed_leaves_nothing_between(
    program: Path, compiler: Compiler, tmp_path: Path
) -> None:
    """At some of its calls: the process is as it was, ended by the kernel, or bound."""
    killer = compiler("kill_worker")

    def bind(point: int) -> tuple[int, bool]:
        words = ("--wait", 0, "--present", 1)
        before = (killer, point, tmp_path / str(point))
        report, status, complaint = bind_in_flight(
            program, "read", *words, before=before, seconds=0.7, SPARES="seccomp restart"
        )
        where = (point, report, status, complaint)
        assert status in (BOUND, UNBOUND, DISTURBED, -signal.SIGKILL), where
        first = next(iter(report.processes.values()))
        if first["state"] == "bound":
            assert status == BOUND, where
        if status == -signal.SIGKILL:
            assert first["reason"] == "killed", where
        killed = (tmp_path / str(point)).read_text().split()[1] == "1"
        assert killed or (status, first["state"]) == (BOUND, "bound"), where
        return status, killed

    calls = int(_count_calls(bind, tmp_path))
    with ThreadPoolExecutor(6) as pool:
        seen = list(pool.map(bind, [*range(1, calls, 7), calls + 1000]))
    assert {status for status, _ in seen} >= {UNBOUND, BOUND, -signal.SIGKILL}, seen


def _count_calls(bind: object, tmp_path: Path) -> str:
    assert callable(bind)
    bind(0)
    return (tmp_path / "0").read_text().split()[0]


@pytest.mark.parametrize("words", [(), ("--by-prctl",)])
def test_a_thread_with_a_filter_of_its_own_is_not_bound(
    compiler: Compiler, words: tuple[str, ...]
) -> None:
    """It has loaded that after all were examined: it has as many filters as a bound one."""
    with subprocess.Popen([compiler("late_filter"), "60"], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout
            last = int(process.stdout.readline())
            wait_until(lambda: len(list_threads(last)) == 2, "the thread")
            report = tighten("--present", 0, *words, process.pid)
            assert count_filters(last, max(list_threads(last))) == 1
            assert (report.status, report.state(process.pid)) == (1, "bound")
            assert (report.state(last), report.reason(last)) == ("unbound", "other-filters")
        finally:
            process.kill()


def test_a_child_that_inherits_it_is_present() -> None:
    """A shell forks all the time: its later children have the filter, and are not bound again.

    Those of the two clock ticks after the load are waited for. Where there are none of them, the
    binding ends before the next child: then once more.
    """
    for _ in range(5):
        if bind_while_forking():
            return
    raise AssertionError("none of the children was found to have inherited the filter")


def bind_while_forking() -> list[int]:
    """Return the children that were found to have the filter and live."""
    script = "while :; do sleep 0.5 & sleep 0.005; done"
    with subprocess.Popen(["/bin/sh", "-c", script], start_new_session=True) as process:
        try:
            report = tighten("--present", 0, process.pid)
            assert report.status == 0, report
            states = {each["state"] for each in report.processes.values()}
            assert states <= {"bound", "present", "ended"}
            assert report.state(process.pid) == "bound"
            assert count_filters(process.pid) == 1
            present = [pid for pid in report.processes if report.state(pid) == "present"]
            living = [status for pid in present if (status := read_status(pid))]
            assert {each.filters for each in living if each.state not in "ZX"} <= {1}
            return present if living else []
        finally:
            os.killpg(process.pid, signal.SIGKILL)
