"""Whatever the moment at which the tracer is killed, the program is as it was, bound, or dead.

Every system call of the process that traces is such a moment; these tests try some of them. A
death is never silent, and a process that is reported as not bound may be bound (it is killed before
it reports), but not the other way round.
"""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import Compiler
from tests.tighten.binding import (
    BOUND,
    DISTURBED,
    SLOWNESS,
    UNBOUND,
    Report,
    bind_in_flight,
    finish,
    in_flight,
    tighten,
)

pytestmark = pytest.mark.root

# A call that restarts by itself, no call at all, many threads, threads that load one by one, and
# one that a stop makes fail.
DEAD = -signal.SIGKILL

KINDS = {"read": 2, "spin": 5, "threads": 5, "epoll": 4}


def kill_at(
    point: int, kind: str, compiler: Compiler, report: Path
) -> tuple[Report, int, str, bool]:
    """Bind a program while the tracer is killed before this call."""
    words = (compiler("kill_worker"), point, report)
    found, status, complaint = bind_in_flight(
        compiler("in_flight"), kind, "--wait", 0, before=words, seconds=0.7
    )
    return found, status, complaint, report.read_text().split()[1] == "1"


def judge(kind: str, point: int, compiler: Compiler, report: Path) -> tuple[int, bool]:
    """Return what has become of the program, and whether the tracer was killed."""
    found, status, complaint, killed = kill_at(point, kind, compiler, report)
    first = next(iter(found.processes.values()), {"state": "ended", "reason": ""})
    state = first["state"]
    where = (kind, point, found, status, complaint)
    assert status in (BOUND, UNBOUND, DISTURBED, DEAD), where
    if status == DISTURBED:
        # as any stop does, before the tracer has written anything; or no thread is bound
        why = {"epoll": "Interrupted system call", "threads": "a bound thread: 0 instead of 1"}
        assert len(complaint.split(why[kind])) > (12 if kind == "threads" else 1), where
        status = UNBOUND
    if state == "bound":
        assert status == BOUND, where  # perhaps killed when it had reported
    if status == DEAD:
        assert (state, first["reason"]) == ("unbound", "killed"), where
    if killed and state != "bound":
        assert found.status != 0, where
    elif not killed:
        assert (status, state) == (BOUND, "bound"), where
    return status, killed


@pytest.mark.parametrize("kind", KINDS)
def test_a_tracer_killed_at_each_of_its_calls(
    kind: str, compiler: Compiler, tmp_path: Path
) -> None:
    compiler("in_flight"), compiler("kill_worker")
    kill_at(0, kind, compiler, tmp_path / "all")
    calls = int((tmp_path / "all").read_text().split()[0])
    assert calls > 40

    def one(point: int) -> tuple[int, bool]:
        return judge(kind, point, compiler, tmp_path / str(point))

    with ThreadPoolExecutor(6) as pool:
        steps = KINDS[kind] * SLOWNESS
        seen = list(pool.map(one, [*range(1, calls, steps), calls + 1000]))
    # first it is as it was, then it dies, then it is bound; the number of calls varies
    order = [status for status, _ in seen]
    assert (order[0], order[-1]) == (UNBOUND, BOUND)
    assert {UNBOUND, DEAD, BOUND} == set(order)
    assert [killed for _, killed in seen].count(True) > 10 / SLOWNESS


def test_killed_again_and_again_it_ends_bound(compiler: Compiler, tmp_path: Path) -> None:
    """What a killed tracer has left is bound by the next run."""
    with in_flight(compiler("in_flight"), "read", 3.0) as process:
        words = (compiler("kill_worker"), 6, tmp_path / "report")
        assert tighten("--wait", 0, process.pid, before=words).status == 1
        assert tighten(process.pid).state(process.pid) == "bound"
        assert finish(process) == (BOUND, "")
