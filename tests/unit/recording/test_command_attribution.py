"""What is lost with short processes is read first."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from seclatch.errors import SeclatchError
from seclatch.recording import record_command
from seclatch.recording.attribution.socket_peers import SocketPeers
from seclatch.recording.command_attribution import CommandAttribution
from seclatch.recording.recorder import RecordOptions
from tests.unit.recording.traces import Story

if TYPE_CHECKING:
    from seclatch.recording.backends.backend import RecordingBackend


def test_the_query_for_a_pod_waits_for_the_daemons_connections(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reads all of /proc; a connection may be over by then."""
    order: list[str] = []
    monkeypatch.setattr(SocketPeers, "update", lambda *_: order.append("connections"))
    config = {"linux": {}, "annotations": {"io.kubernetes.cri.sandbox-name": "x"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    story = Story()
    story.exec(story.fork(story.root), "/usr/sbin/runc", "create", "-b", str(tmp_path), "id")
    options = RecordOptions(query_images=False, find_pod=order.append)
    CommandAttribution(("docker",), daemons=True).update(story.trace, options)
    assert order == ["connections", "id"]


def test_it_is_imported_before_the_command_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where daemons run: on a busy machine the import took longer than a short container."""

    def fail() -> int:
        assert "_attribution" in vars(source)
        raise OSError(11, "no process")

    monkeypatch.setattr(os, "fork", fail)
    backend = cast("RecordingBackend", SimpleNamespace(follow_daemons=lambda: 1))
    command, options = ("/bin/true",), RecordOptions()
    source = record_command._Command(command[0], command, set(), options, ignored=False)
    with pytest.raises(SeclatchError, match="no process"):
        source.start(backend)
