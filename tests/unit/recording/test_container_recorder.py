"""The image query of the recorder of an annotated container."""

from __future__ import annotations

import threading

import pytest

from seclatch.model.origin import ContainerImage
from seclatch.recording.annotated.container_recorder import _ImageQuery

IMAGE = ContainerImage(name="web")


def test_image_is_the_query_s_answer() -> None:
    query = _ImageQuery(lambda monitor, identifier: IMAGE, 1, "c1")
    query.begin()
    assert query.answer(patient=True) == IMAGE


def test_image_is_unknown_if_no_thread_can_be_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    query = _ImageQuery(lambda monitor, identifier: IMAGE, 1, "c1")
    query.begin()
    assert query.answer(patient=True) is None
