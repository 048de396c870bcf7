"""Containers whose supervisor and guard were both killed."""

from __future__ import annotations

import os
import time
from pathlib import Path
from unittest.mock import Mock

import pytest

from seclatch.errors import SeclatchError
from seclatch.tighten.automatic import abandoned_container
from seclatch.tighten.automatic.abandoned_container import (
    SupervisedMark,
    conclude_abandoned,
    mark_supervised,
    take_abandoned,
)
from seclatch.tighten.automatic.started_container import StartedContainer

RUNNING = {"web": 10, "tight": 20, "held": 30, "stuck": 40}
ENDED = {10}
"""Of those that are stopped."""

STOP, KEEP = SupervisedMark(since=5, stop=True), SupervisedMark(since=5, stop=False)


def no_problem(identifier: str, problem: str) -> None:
    raise AssertionError(f"{identifier}: {problem}")


@pytest.fixture(autouse=True)
def host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four containers run, one of which is tightened."""

    def find(identifier: str, since: int) -> StartedContainer | None:
        assert since == 5
        pid = RUNNING.get(identifier)
        return StartedContainer(identifier, pid, -1) if pid else None

    monkeypatch.setattr(abandoned_container, "find_unrecognised", find)
    monkeypatch.setattr(StartedContainer, "has_ended", lambda self: self.pid in ENDED)
    monkeypatch.setattr(abandoned_container, "read_tightened", lambda: {(20, "digest"): None})


def test_only_those_that_run_untightened_without_a_supervisor(tmp_path: Path) -> None:
    mark_supervised("web", STOP, tmp_path).leave()
    mark_supervised("tight", STOP, tmp_path).leave()
    mark_supervised("gone", KEEP, tmp_path).leave()
    (tmp_path / "other").write_text("[]")
    held = mark_supervised("held", STOP, tmp_path)
    seen: list[tuple[str, SupervisedMark]] = []
    for _ in range(2):  # and each once
        conclude_abandoned(
            take_abandoned(tmp_path),
            lambda found, mark: seen.append((found.identifier, mark)),
            no_problem,
        )
    assert seen == [("web", STOP)]
    assert [path.name for path in tmp_path.iterdir()] == ["held"]
    held.remove()


@pytest.mark.parametrize("failing", ["find_unrecognised", "read_tightened", "conclude"])
@pytest.mark.parametrize("error", [OSError(24, "too many files"), SeclatchError("x"), KeyError()])
def test_a_file_stays_where_nothing_could_be_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str, error: Exception
) -> None:
    """And the others are seen to."""
    fail = Mock(side_effect=error)
    if failing != "conclude":
        monkeypatch.setattr(abandoned_container, failing, fail)
    notify = Mock()
    for identifier in ("stuck", "web"):
        mark_supervised(identifier, STOP, tmp_path).leave()
    conclude_abandoned(take_abandoned(tmp_path), fail, notify)
    assert [call.args[0] for call in notify.mock_calls] == ["stuck", "web"]
    assert all(call.args[1] for call in notify.mock_calls)
    assert [file.path.name for file in take_abandoned(tmp_path)] == ["stuck", "web"]


def test_a_file_stays_while_its_container_could_not_be_stopped(tmp_path: Path) -> None:
    """Where it is asked for; else the line in the log is all that is asked for."""
    for mark, left in ((STOP, ["stuck"]), (KEEP, [])):
        mark_supervised("stuck", mark, tmp_path).leave()
        conclude_abandoned(take_abandoned(tmp_path), Mock(), no_problem)
        assert [path.name for path in tmp_path.iterdir()] == left


@pytest.mark.parametrize(
    ("age", "front_lives", "stays"), [(10, False, True), (3600, False, False), (3600, True, True)]
)
def test_a_file_stays_while_its_container_may_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, age: int, front_lives: bool, stays: bool
) -> None:
    """The runtime is the front's process, or has ended a moment ago."""
    front = os.getpid() if front_lives else 0
    monkeypatch.setattr(abandoned_container, "find_unrecognised", lambda *_: None)
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    since = int((now - age) * os.sysconf("SC_CLK_TCK"))
    monkeypatch.setattr(
        abandoned_container, "read_start", lambda pid: since - 1 if pid == front != 0 else since + 1
    )
    mark = SupervisedMark(since=since, stop=True, front=front)
    mark_supervised("gone", mark, tmp_path).leave()
    conclude_abandoned(take_abandoned(tmp_path), Mock(), no_problem)
    assert [path.name for path in tmp_path.iterdir()] == ["gone"] * stays


def test_a_later_start_of_that_name_is_left_alone(tmp_path: Path) -> None:
    """Its processes are younger than the file of the start before."""
    mark_supervised("web", STOP, tmp_path).leave()
    files = list(take_abandoned(tmp_path))
    later = mark_supervised("web", STOP, tmp_path)
    conclude = Mock()
    conclude_abandoned(files, conclude, no_problem)
    conclude.assert_not_called()
    assert later.is_current()
    later.remove()
