"""The saves of one recording: each replaces the file by what is newer."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from seclatch.recording.annotated.save_recordings import RecordingSaver


@pytest.fixture
def recording(tmp_path: Path) -> Any:
    path = tmp_path / "web.json.gz"
    return SimpleNamespace(
        path=path, calls=1, is_saving=False, save_again=None, ended=False, next_save=0.0,
        image_is_pending=False, find_living=lambda: {1},
    )  # fmt: skip


@pytest.fixture
def saver(recording: Any, monkeypatch: pytest.MonkeyPatch) -> RecordingSaver:
    """Return a saver whose first write takes longer than the others."""
    containers = Mock(list_all=lambda: [recording], find=lambda name: [recording])
    saver = RecordingSaver(Mock(path=recording.path.parent), Mock(), containers, Mock())

    def write(recording: Any, *, complete: bool) -> None:
        time.sleep(0.3 if recording.calls == 1 else 0)
        recording.path.write_text(f"{recording.calls} {complete}")

    monkeypatch.setattr(saver, "_write", write)
    return saver


def test_the_last_save_is_not_replaced_by_one_that_began_before(
    saver: RecordingSaver, recording: Any
) -> None:
    saver.save_due()
    saver.poll()
    recording.calls = 2
    saver.save_all()
    assert recording.path.read_text() == "2 False"
    assert saver.is_idle() and not recording.is_saving


def test_a_flush_is_answered_after_a_save_of_its_own(saver: RecordingSaver, recording: Any) -> None:
    saver.save_due()
    saver.poll()
    recording.calls = 2
    request = Mock(argument="web")
    saver.flush(request)
    while not request.answer.called:
        saver.poll()
        saver.answer_flushes()
    assert recording.path.read_text() == "2 False"
