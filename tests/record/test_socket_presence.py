"""A recorder notices that no latch can find it any more."""

from __future__ import annotations

from pathlib import Path

import pytest

from seclatch.errors import SeclatchError
from seclatch.recording.annotated.recorder_socket import RecorderSocket


def test_a_socket_that_was_replaced_or_removed(tmp_path: Path) -> None:
    """By another recorder; with its directory, as below a container's mount."""
    path = tmp_path / "run/recorder.sock"
    first, second = RecorderSocket(path), RecorderSocket(path)
    first.open()
    first.require_present()
    second.open()
    with pytest.raises(SeclatchError, match="another one was put there"):
        first.require_present()
    second.require_present()
    path.unlink()
    with pytest.raises(SeclatchError, match="No such file"):
        second.require_present()
    path.parent.rmdir()
    with pytest.raises(SeclatchError, match="No such file"):
        second.require_present()
    for socket in (first, second):
        socket.close()
