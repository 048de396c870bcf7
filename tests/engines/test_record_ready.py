"""`record --ready healthy` and `log:REGEX` by what Docker and Podman say of a container."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from seclatch.model.recording.recording import Recording
from seclatch.recording.files import recording_file
from tests.engines.docker import Docker
from tests.engines.engine import Engine
from tests.engines.host import wait_until
from tests.latch.oci import SCRIPTS

# mkdir before it is ready, chdir once the recorder has said so
SCRIPT = "mkdir /tmp/one; echo Ready to serve; until test -e /go/on; do sleep 0.1; done; cd /tmp"
MARKED = "the running phase begins"
# Run by sh: the recorder's messages can be read while it runs.
LOGGED = 'log=$0; exec "$@" 2>"$log"'


def record(
    engine: Engine, path: Path, monkeypatch: pytest.MonkeyPatch, condition: str, *extra: str
) -> Recording:
    plain = engine.host.argv
    log, go = path.with_suffix(".log"), path.with_suffix(".go")
    log.touch()
    go.mkdir()
    words = ["sh", "-c", LOGGED, str(log)]
    words += [str(SCRIPTS / "seclatch"), "record", "--ready", condition, "-o", str(path), "--"]
    extra = (*extra, "--volume", f"{go}:/go")
    with monkeypatch.context() as patch, ThreadPoolExecutor(1) as pool:
        patch.setattr(engine.host, "argv", lambda *more: [*words, *plain(*more)])
        run = pool.submit(engine.run, "/bin/sh", "-c", SCRIPT, extra=extra)
        try:
            wait_until(lambda: run.done() or MARKED in log.read_text(), "the ready mark")
        finally:
            (go / "on").touch()
        done = run.result()
    assert done.returncode == 0, log.read_text()
    recording = recording_file.read_recording(path)
    assert recording.ready is not None, log.read_text()
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
