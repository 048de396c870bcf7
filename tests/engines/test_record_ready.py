"""`record --ready healthy` and `log:REGEX` by what Docker and Podman say of a container."""

from __future__ import annotations

from pathlib import Path

import pytest

from seclatch.model.recording.recording import Recording
from seclatch.recording.files import recording_file
from tests.engines.docker import Docker
from tests.engines.engine import Engine
from tests.latch.oci import SCRIPTS

# mkdir before it is ready, chdir after it: the time is the engine's to say so on a busy machine
SCRIPT = "mkdir /tmp/one; echo Ready to serve; sleep 8; cd /tmp"


def record(
    engine: Engine, path: Path, monkeypatch: pytest.MonkeyPatch, condition: str, *extra: str
) -> Recording:
    plain = engine.host.argv
    words = [str(SCRIPTS / "seclatch"), "record", "--ready", condition, "-o", str(path), "--"]
    with monkeypatch.context() as patch:
        patch.setattr(engine.host, "argv", lambda *more: [*words, *plain(*more)])
        done = engine.run("/bin/sh", "-c", SCRIPT, extra=extra)
    assert done.returncode == 0, done.stderr
    recording = recording_file.read_recording(path)
    assert recording.ready is not None, done.stderr
    assert recording.ready.condition == condition
    return recording


def running(recording: Recording, name: str) -> list[tuple[int, int]]:
    rows = [row for row in recording.calls if row.stage == "program" and row.name == name]
    return [(row.count, row.running) for row in rows]


@pytest.mark.parametrize("name", ["docker", "podman"])
def test_a_line_of_the_container_s_log(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    engine: Engine = request.getfixturevalue(name)
    recording = record(engine, tmp_path / "r.json", monkeypatch, "log:^Ready to (serve|accept)")
    engine.clear()
    assert running(recording, "mkdir") == [(1, 0)]
    assert running(recording, "chdir") == [(1, 1)]


def test_a_health_check(docker: Docker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check = ("--health-cmd", "test -d /tmp/one", "--health-interval", "1s")
    recording = record(docker, tmp_path / "r.json", monkeypatch, "healthy", *check)
    docker.clear()
    assert running(recording, "mkdir") == [(1, 0)]
    assert (1, 1) in running(recording, "chdir")
