"""Real servers: a scan contains their recorded calls and allows more than was recorded."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from seclatch.model.recording.recording import Recording
from seclatch.model.scan import Scan
from seclatch.model.stage import Stage
from seclatch.recording.files import recording_file
from seclatch.scan import scan_document as scans
from tests.debian.programs import NAMES, programs
from tests.debian.server import ANY, SECLATCH, Server
from tests.latch.oci import Runtime

pytestmark = [pytest.mark.root, pytest.mark.timeout(400)]


def scan(recording: Recording, root: Path, path: Path) -> Scan:
    """Scan every program that was executed."""
    executed = {
        image.exe
        for process in recording.processes
        for image in process.images
        if image.stage == Stage.PROGRAM.value
    }
    names = [word for each in sorted(executed) for word in ("--entrypoint", each)]
    done = subprocess.run(
        [SECLATCH, "scan", *names, "-o", path, root], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return scans.read_scan(path)


def made(recording: Recording) -> set[str]:
    return {each.name for each in recording.calls if each.stage == Stage.PROGRAM.value}


@pytest.mark.parametrize("name", NAMES)
def test_a_scan_has_the_recorded_calls_and_allows_the_rest(
    root: Path, tmp_path: Path, name: str
) -> None:
    """Recorded while it only starts, the profile joined with the scan runs the whole workload."""
    with Server(programs()[name], root) as server:
        server.run(Runtime("runc", latched=False), ANY, tmp_path / "idle.json", idle=True)
        idle = recording_file.read_recording(tmp_path / "idle.json")
        found = scan(idle, root, tmp_path / "scan.json")
        assert made(idle) <= found.names
        words = [SECLATCH, "generate", tmp_path / "idle.json", "--scan", tmp_path / "scan.json"]
        subprocess.run([*words, "-o", tmp_path / "profile.json"], check=True, capture_output=True)
        profile = json.loads((tmp_path / "profile.json").read_text())
        server.run(Runtime("runc"), profile, tmp_path / "work.json")
    work = recording_file.read_recording(tmp_path / "work.json")
    assert made(work) <= found.names
    denied = {each.name for each in work.denials}
    assert not denied, f"{len(found.names)} calls, and these were missing"
