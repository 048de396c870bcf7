"""Reports on containers of real engines: where the filter begins, and how its profile fits."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from seclatch.model.recording.recording import Recording
from seclatch.recording.files import recording_file
from tests.engines.engine import Engine
from tests.engines.test_record import (  # noqa: F401 (fixtures)
    Recorded,
    recorded,
    recorded_of,
)
from tests.latch.oci import SCRIPTS

STRICT = Path(__file__).parents[1] / "data" / "stali-like.json"
ALLOWED = len(json.loads(STRICT.read_text())["syscalls"][0]["names"])


def report(recording: Recording, folder: Path) -> dict[str, Any]:
    recording_file.write_recording(folder / "again.json", recording)
    done = subprocess.run(
        [SCRIPTS / "seclatch", "report", "--json", folder / "again.json"],
        capture_output=True,
        text=True,
        check=True,
    )
    document: dict[str, Any] = json.loads(done.stdout)
    return document


@pytest.mark.parametrize("latched", [False, True], ids=["plain", "latched"])
def test_where_the_filter_begins(
    engine: Engine,
    runtime: str,
    latched: bool,
    recorded: Recorded,
    tmp_path: Path,
) -> None:
    chosen = f"latched-{runtime}" if latched else runtime
    command = ("/bin/sh", "-c", "/bin/mkdir /tmp/new; /bin/sleep 0.5; exit 5")
    done, recording = recorded(lambda: engine.run(*command, runtime=chosen, profile=STRICT))
    document = report(recording, tmp_path)
    [start] = document["starts"]
    states = [part["state"] for part in start["sections"]]
    if latched:
        assert done.returncode == 5, done.stderr
        assert (start["outcome"], states) == ("latched", ["unfiltered", "suspended", "filtered"])
        assert start["loaded"] < start["executed"] <= start["binds"]
        # The profile is the recorded one: the one that the engine passed to the runtime.
        assert document["fit"]["profile"]["open"] == ALLOWED
        assert "mkdir" in document["fit"]["refused"]
    else:
        assert done.returncode not in (0, 5)
        assert (start["outcome"], states) == ("refused", ["unfiltered", "filtered"])
        assert start["sections"][1]["denied"]
        # The bundle of a start that fails at once may be gone when the recorder looks.
        kept = document["fit"]["profile"]
        assert kept is None or kept["open"] == ALLOWED


@pytest.mark.parametrize("engine", ["docker", "podman"], indirect=True)
def test_calls_that_docker_s_conditions_allow_are_not_reported_as_denied(
    engine: Engine,
    runtime: str,
    recorded: Recorded,
    tmp_path: Path,
) -> None:
    """It has conditions on clone's flags and socket's family, which fork(2) and wget satisfy."""
    fork_and_connect = "/bin/busybox wget -q -O- http://127.0.0.1:9/; /bin/true; :"
    done, recording = recorded(
        lambda: engine.run("/bin/sh", "-c", fork_and_connect, runtime=f"latched-{runtime}")
    )
    assert done.returncode == 0, done.stderr
    used = {each.name for each in recording.calls if each.stage == "program"}
    assert {"socket", "clone"} <= used
    fit = report(recording, tmp_path)["fit"]
    assert fit["profile"]["partly"] > 0
    assert not {"socket", "clone"} & {*fit["refused"], *fit["refused_for_some"]}


def test_a_container_without_a_profile(
    engine: Engine,
    runtime: str,
    recorded: Recorded,
    tmp_path: Path,
) -> None:
    extra = [] if engine.name == "containerd" else ["--security-opt", "seccomp=unconfined"]
    _, recording = recorded(
        lambda: engine.run("/bin/true", runtime=f"latched-{runtime}", extra=extra)
    )
    document = report(recording, tmp_path)
    assert [start["outcome"] for start in document["starts"]] == ["unfiltered"]
    assert document["fit"]["profile"] is None
