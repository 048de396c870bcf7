"""When the program of a supervised container counts as started, and what if it never does."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from seclatch.process.containers.membership import FoundContainer
from seclatch.process.running_bundle import awaits_start
from seclatch.recording.ready.program_state import TimeHasPassed
from seclatch.recording.ready.ready_condition import ReadyCondition
from seclatch.system.held_file import HeldFile
from seclatch.system.procfs import ProcEntry, ProcStatus, parse_status, read_status
from seclatch.tighten.automatic import await_start as waiting
from seclatch.tighten.automatic import started_container, supervise_container
from seclatch.tighten.automatic.abandoned_container import (
    SupervisedMark,
    mark_supervised,
    take_abandoned,
)
from seclatch.tighten.automatic.running_annotations import RunningRequest
from seclatch.tighten.automatic.started_container import StartedContainer, find_started
from seclatch.tighten.automatic.supervise_container import (
    Supervision,
    SupervisorSettings,
    supervise,
)
from seclatch.tighten.automatic.supervision_guard import SupervisionGuard
from tests.latch.oci import wait_until

ENDED = (1 << 22) - 1
OTHERS = 5
"""The mount namespace of the container, by a number that is none of this host's."""


class NeverReady(ReadyCondition):
    def is_met(self, _: object) -> bool:
        return False


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Have a container of this process; return the list of those that are stopped."""
    found: list[int] = []
    monkeypatch.setattr(StartedContainer, "stop", lambda self: found.append(self.pid))
    monkeypatch.setattr(waiting, "_UNBORN", 0.3)
    monkeypatch.setattr(waiting, "_EVERY", 0.01)
    monkeypatch.setattr(waiting, "MAX_SHARE", 1)
    monkeypatch.setattr(waiting, "awaits_start", lambda _: False)
    monkeypatch.setattr(supervise_container, "log", lambda *_: None)
    return found


def work(limit: float = 0.05) -> Supervision:
    request = RunningRequest("c1", "web", "listen", stop=True, limit=limit)
    mark = Mock(spec=HeldFile)
    return Supervision(request, NeverReady("x"), SupervisorSettings(), Path("/"), ENDED, 0, mark)


def unguarded() -> SupervisionGuard:
    return SupervisionGuard(lambda _: 0, lambda: None, lambda _: None)


def own_container(*_: Any) -> StartedContainer:
    return StartedContainer("c1", os.getpid(), os.pidfd_open(os.getpid()))


def put(monkeypatch: pytest.MonkeyPatch, *answers: Any, present: bool = True) -> None:
    """Let looks for a started container find these, one after the other, and then none."""
    left = list(answers)

    def look(*_: Any) -> StartedContainer | None:
        answer = left.pop(0) if left else None
        if isinstance(answer, Exception):
            raise answer
        return own_container() if answer else None

    monkeypatch.setattr(waiting, "find_started", look)
    monkeypatch.setattr(waiting, "find_unrecognised", own_container)
    monkeypatch.setattr(waiting, "has_processes", lambda _: present)


def test_a_program_that_hides_its_start_is_stopped(
    monkeypatch: pytest.MonkeyPatch, stopped: list[int]
) -> None:
    put(monkeypatch)
    assert supervise(work(), unguarded()) == 1
    assert stopped == [os.getpid()]


@pytest.mark.parametrize(("condition", "status"), [("never", 1), ("50s", 0), ("300s", 1)])
def test_a_successor_goes_on_with_the_time_of_the_first_one(
    monkeypatch: pytest.MonkeyPatch, stopped: list[int], condition: str, status: int
) -> None:
    """Both the limit and a time to wait."""
    put(monkeypatch, True)
    monkeypatch.setattr(supervise_container, "_tighten", lambda *_: "")
    wait = NeverReady("x") if condition == "never" else TimeHasPassed("x", float(condition[:-1]))
    guard, now = unguarded(), time.monotonic()
    with monkeypatch.context() as earlier:
        earlier.setattr(time, "monotonic", lambda: now - 100)
        assert guard.began_waiting == now - 100
    assert supervise(replace(work(limit=60), condition=wait), guard) == status
    assert stopped == [os.getpid()] * status


def test_one_that_is_there_when_the_wait_ends_is_stopped(
    monkeypatch: pytest.MonkeyPatch, stopped: list[int]
) -> None:
    put(monkeypatch, present=False)
    assert supervise(work(limit=60), unguarded()) == 1
    assert stopped == [os.getpid()]


def test_a_look_that_fails_does_not_end_the_supervision(
    monkeypatch: pytest.MonkeyPatch, stopped: list[int]
) -> None:
    put(monkeypatch, ProcessLookupError(3, "ended"), OSError(24, "too many"), True)
    assert supervise(work(), unguarded()) == 1  # never ready
    assert stopped == [os.getpid()]


def test_a_created_container_may_wait_for_its_start(
    monkeypatch: pytest.MonkeyPatch, stopped: list[int]
) -> None:
    """The limit counts from its start."""
    looks = iter([True] * 20)
    put(monkeypatch)
    monkeypatch.setattr(waiting, "find_unrecognised", lambda *_: None)
    monkeypatch.setattr(waiting, "has_processes", lambda _: next(looks, False))
    monkeypatch.setattr(waiting, "awaits_start", lambda _: True)
    assert supervise(work(limit=0.0), unguarded()) == 0
    assert not stopped


def test_the_runtime_s_state_says_that_it_waits(tmp_path: Path) -> None:
    folder = tmp_path / "run/crun/c1"
    folder.mkdir(parents=True)
    os.mkfifo(folder / "exec.fifo")
    assert not awaits_start("c1", tmp_path)
    (folder / "status").touch()
    assert awaits_start("c1", tmp_path)
    (folder / "exec.fifo").unlink()
    assert not awaits_start("c1", tmp_path)


def test_states_that_an_engine_removes_while_they_are_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between os.scandir() of a directory and of what was found in it."""

    def vanish(_: Path, pattern: str) -> Iterator[Path]:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), pattern)

    monkeypatch.setattr(Path, "glob", vanish)
    assert not awaits_start("c1", tmp_path)


def show(monkeypatch: pytest.MonkeyPatch, *pids: int) -> None:
    status = read_status(os.getpid())
    assert status
    entries = {pid: ProcEntry(pid, status, (), "nginx", mounts=OTHERS) for pid in pids}
    monkeypatch.setattr(started_container, "read_entries", lambda: entries)
    monkeypatch.setattr(started_container, "find_containers", lambda _: {})
    found = FoundContainer("c1", "docker")
    monkeypatch.setattr(started_container, "find_members", lambda *_: dict.fromkeys(entries, found))


def test_a_process_that_ends_meanwhile_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    show(monkeypatch, ENDED)
    assert find_started("c1", 0) is None
    show(monkeypatch, ENDED, os.getpid())
    found = find_started("c1", 0)
    assert found and found.pid == os.getpid()
    os.close(found.handle)


@pytest.mark.parametrize(("shares", "started"), [(True, True), (False, False)])
def test_only_a_tracer_outside_of_the_container_is_the_latch_s(
    monkeypatch: pytest.MonkeyPatch, shares: bool, started: bool
) -> None:
    pid, tracer = os.getpid(), 77
    show(monkeypatch, pid)
    traced = parse_status(
        Path("/proc/self/status").read_bytes().replace(b"TracerPid:\t0", b"TracerPid:\t77")
    )
    assert isinstance(traced, ProcStatus) and traced.tracer == tracer
    monkeypatch.setattr(started_container, "read_status", lambda _: traced)
    real = SimpleNamespace(getpid=lambda: 1, stat=os.stat, pidfd_open=os.pidfd_open)
    monkeypatch.setattr(started_container, "os", real)
    namespaces = {1: 10, pid: 20, tracer: 20 if shares else 10}
    monkeypatch.setattr(started_container, "_read_pid_namespace", namespaces.__getitem__)
    found = find_started("c1", 0)
    assert bool(found) is started
    if found:
        os.close(found.handle)


@pytest.mark.parametrize("may_fork", [True, False])
def test_what_killed_supervisors_left_is_for_another_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, may_fork: bool
) -> None:
    """Or for the next supervisor; the container of this one is not to suffer."""
    logged: list[tuple[Any, ...]] = []
    monkeypatch.setattr(supervise_container, "log", lambda *line: logged.append(line))
    monkeypatch.setattr(supervise_container, "take_abandoned", lambda: take_abandoned(tmp_path))
    if not may_fork:
        monkeypatch.setattr(os, "fork", Mock(side_effect=OSError(errno.EAGAIN, "no process")))
    mark_supervised("seclatch-none", SupervisedMark(since=-(10**6), stop=True), tmp_path).leave()
    supervise_container._conclude_others(work())
    if may_fork:
        wait_until(lambda: not list(tmp_path.iterdir()), "the file's removal")
        assert not logged
    else:
        assert [file.path.name for file in take_abandoned(tmp_path)] == ["seclatch-none"]
        assert "no process" in logged[0][2]
