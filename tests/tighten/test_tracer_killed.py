"""Whatever the moment at which the tracer is killed, the program is as it was, dead, or bound.

Until it writes registers for the first time the program is as it was, and reported as not bound;
from then on until it lets it go it dies with it, which is reported; after that it is bound. Every
system call of the process that traces is such a moment.
"""

from __future__ import annotations

import signal
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import Compiler
from tests.tighten.binding import (
    BOUND,
    DISTURBED,
    LATE,
    SLOWNESS,
    UNBOUND,
    Report,
    bind_in_flight,
    finish,
    in_flight,
    tighten,
)

pytestmark = pytest.mark.root

DEAD, DENIED = -signal.SIGKILL, -signal.SIGSYS


@dataclass(frozen=True)
class Kind:
    """A kind of call in flight.

    `each`: one in so many of the tracer's calls is tried; on arm64, which is emulated, `guest`.
    """

    each: int
    guest: int
    spares: str = ""  # what the program's own filter allows
    complaint: str = ""  # what the program says that was stopped and is not bound


# What the kernel restarts, continues by restart_syscall(2), fails with EINTR; no call at all, the
# parent of a vfork; many threads, and threads that load one by one.
KINDS = {
    "read": Kind(3, 1),
    "nanosleep": Kind(9, 3, spares="restart"),
    "futex": Kind(11, 6, spares="restart"),
    "sleep-without-restart": Kind(9, 6),
    "epoll": Kind(4, 5, complaint="Interrupted system call"),
    "ppoll": Kind(13, 7),
    "accept": Kind(17, 7),
    "spin": Kind(5, 5),
    "vforks": Kind(23, 7),
    "threads": Kind(5, 9, complaint="a bound thread: 0 instead of 1"),
}
MOST = 80  # of the tracer's calls in one state
PROGRAMS = {"sleep-without-restart": "nanosleep"}

# How far the tracer was, by tests/programs/kill_worker.c.
BEFORE, GUARDED, RELEASED, DETACHED = range(4)
# The program's own filter kills for restart_syscall(2), by which the kernel continues a sleep: any
# stop ends it without a tracer that suspends the filter.
MAY_BE_DENIED = ("sleep-without-restart",)


@dataclass(frozen=True)
class Killed:
    """How a binding ended: `state` is how far the tracer was when it was killed."""

    report: Report
    status: int
    complaint: str
    killed: bool
    state: int
    steps: tuple[int, ...]  # the state before each of its calls


def kill_at(point: str, name: str, compiler: Compiler, path: Path) -> Killed:
    """Bind a program while the tracer is killed before this call.

    It waits for nothing: once more if no thread could be stopped just then, or the machine was too
    busy for the program's time.
    """
    for _ in range(5):
        found = kill_once(point, name, compiler, path)
        if found.status != LATE and (found.killed or found.report.status == 0):
            break
    return found


def kill_once(point: str, name: str, compiler: Compiler, path: Path) -> Killed:
    kind = KINDS[name]
    report, status, complaint = bind_in_flight(
        compiler("in_flight"),
        PROGRAMS.get(name, name),
        *("--wait", 0),
        before=(compiler("kill_worker"), point, path),
        seconds=0.7 if SLOWNESS == 1 else 0.5,
        **({"SPARES": kind.spares} if kind.spares else {}),
    )
    first, *steps = path.read_text().splitlines()
    _, killed, state = map(int, first.split())
    return Killed(report, status, complaint, killed == 1, state, tuple(map(int, steps)))


def list_statuses(name: str, state: int) -> set[int]:
    """List the ends of the program that are right."""
    denied = {DENIED} if name in MAY_BE_DENIED else set()
    if state == BEFORE:
        return {UNBOUND, *denied}
    if state == GUARDED:
        return {DEAD}
    return {BOUND, *(denied if state == RELEASED else ())}


def judge(name: str, point: str, compiler: Compiler, path: Path) -> Killed:
    """Kill the tracer at this call, and check what has become of the program."""
    found = kill_at(point, name, compiler, path)
    where = (name, point, found)
    first = next(iter(found.report.processes.values()))
    if not found.killed:
        assert (found.status, first["state"], found.report.status) == (BOUND, "bound", 0), where
        return found
    status = found.status
    if first["state"] == "bound":  # the tracer had reported that
        assert (found.state in (RELEASED, DETACHED), status) == (True, BOUND), where
        return found
    assert (first["state"], found.report.status) == ("unbound", 1), where
    if status == DISTURBED and KINDS[name].complaint:
        # as by any stop; or no thread is bound
        assert found.complaint.count(KINDS[name].complaint) in (1, 12), where
        status = UNBOUND
    assert status in list_statuses(name, found.state), where
    # a program that ends by itself within the moment in which it is looked at counts as killed, and
    # one that its own filter ends after that does not
    reasons = {"killed"} if status == DEAD else {"tracer-lost", "killed"}
    assert first["reason"] in reasons, where
    return found


def choose_points(steps: tuple[int, ...], each: int) -> list[str]:
    """Choose one call in so many, and the first and last of each state.

    By their number within it: how often the tracer looks at a thread, or waits for it, varies. On a
    busy machine that is hundreds of times.
    """
    counts = {state: min(count, MOST) for state, count in Counter(steps).items()}
    return [
        f"{state}:{number}"
        for state, count in counts.items()
        for number in sorted({*range(1, count + 1, each), count})
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_a_tracer_killed_at_each_of_its_calls(
    kind: str, compiler: Compiler, tmp_path: Path
) -> None:
    compiler("in_flight"), compiler("kill_worker")
    whole = kill_at("0", kind, compiler, tmp_path / "all")
    assert len(whole.steps) > 40 and not whole.killed
    each = KINDS[kind].each if SLOWNESS == 1 else KINDS[kind].guest
    points = choose_points(whole.steps, each)

    def one(point: str) -> Killed:
        return judge(kind, point, compiler, tmp_path / point)

    with ThreadPoolExecutor(12) as pool:
        seen = [each for each in pool.map(one, points) if each.killed]
    assert {each.state for each in seen} == set(whole.steps)


def test_killed_again_and_again_it_ends_bound(compiler: Compiler, tmp_path: Path) -> None:
    """What a killed tracer has left is bound by the next run."""
    with in_flight(compiler("in_flight"), "read", 1.5) as process:
        words = (compiler("kill_worker"), 6, tmp_path / "report")
        assert tighten("--wait", 0, process.pid, before=words).status == 1
        assert tighten(process.pid).state(process.pid) == "bound"
        assert finish(process) == (BOUND, "")
