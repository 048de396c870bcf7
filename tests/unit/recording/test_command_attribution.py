"""What is lost with short processes is read first."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from seclatch.recording.attribution.socket_peers import SocketPeers
from seclatch.recording.command_attribution import CommandAttribution
from seclatch.recording.recorder import RecordOptions
from tests.unit.recording.traces import Story

# Nothing is executed: there is no process to fork.
SCRIPT = """
import os, sys
from seclatch.errors import SeclatchError
from seclatch.recording import record_command
from seclatch.recording.recorder import RecordOptions

def fail():
    print(*sys.modules)
    raise OSError(11, "no process")

os.fork = fail
try:
    record_command.record_command(("/bin/true",), RecordOptions(backend="ptrace"))
except SeclatchError as error:
    print(error, file=sys.stderr)
"""


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


def test_it_is_imported_before_the_command_starts() -> None:
    """On a busy machine the import took longer than a short container."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True
    )
    assert "starting /bin/true: no process" in done.stderr
    assert "seclatch.recording.command_attribution" in done.stdout.split()
