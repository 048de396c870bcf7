"""What the recorder of an annotated container asks beside its recording."""

from __future__ import annotations

import threading

import pytest

from seclatch.model.origin import ContainerImage
from seclatch.recording.annotated.container_recorder import _ImageQuery

IMAGE = ContainerImage(name="web")


def test_the_image_is_what_was_answered() -> None:
    question = _ImageQuery(lambda keeper, identifier: IMAGE, 1, "c1")
    question.begin()
    assert question.answer(patient=True) == IMAGE


def test_where_no_thread_can_be_made_the_image_is_not_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    question = _ImageQuery(lambda keeper, identifier: IMAGE, 1, "c1")
    question.begin()
    assert question.answer(patient=True) is None
