"""Containers whose supervisor and guard were both killed."""

from __future__ import annotations

from pathlib import Path

import pytest

from seclatch.tighten.automatic import abandoned_container
from seclatch.tighten.automatic.abandoned_container import (
    SupervisedMark,
    conclude_abandoned,
    mark_supervised,
    take_abandoned,
)
from seclatch.tighten.automatic.started_container import StartedContainer

RUNNING = {"web": 10, "tight": 20, "held": 30}


@pytest.fixture(autouse=True)
def host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three containers run, one of which is tightened."""

    def find(identifier: str, since: int) -> StartedContainer | None:
        assert since == 5
        pid = RUNNING.get(identifier)
        return StartedContainer(identifier, pid, -1) if pid else None

    monkeypatch.setattr(abandoned_container, "find_unrecognised", find)
    monkeypatch.setattr(abandoned_container, "read_tightened", lambda: {(20, "digest"): None})


def test_only_those_that_run_untightened_without_a_supervisor(tmp_path: Path) -> None:
    stop, keep = SupervisedMark(since=5, stop=True), SupervisedMark(since=5, stop=False)
    mark_supervised("web", stop, tmp_path).leave()
    mark_supervised("tight", stop, tmp_path).leave()
    mark_supervised("gone", keep, tmp_path).leave()
    (tmp_path / "other").write_text("[]")
    held = mark_supervised("held", stop, tmp_path)
    seen: list[tuple[str, SupervisedMark]] = []
    for _ in range(2):  # and each once
        conclude_abandoned(
            take_abandoned(tmp_path), lambda found, mark: seen.append((found.identifier, mark))
        )
    assert seen == [("web", stop)]
    assert [path.name for path in tmp_path.iterdir()] == ["held"]
    held.remove()
