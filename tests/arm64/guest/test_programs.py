"""Run Debian's arm64 servers under profiles ported from recordings made on x86-64."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from seclatch.model.stage import Stage
from seclatch.recording.files import recording_file
from tests.debian.programs import everywhere
from tests.debian.server import ANY, Server
from tests.latch.oci import Runtime

PORTED = Path("/guest/ported")
NAMES = ("nginx", "redis", "python3")


def profile(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((PORTED / f"{name}.json").read_text())
    return found


def allowed(name: str) -> set[str]:
    return {
        each
        for rule in profile(name)["syscalls"]
        if rule["action"] == "SCMP_ACT_ALLOW"
        for each in rule["names"]
    }


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """Bind the machine's own packages into a root, without the mounts over them."""
    path = tmp_path / "root"
    path.mkdir()
    subprocess.run(["mount", "--bind", "/", path], check=True)
    yield path
    subprocess.run(["umount", path], check=True)


@pytest.fixture(params=NAMES)
def server(request: pytest.FixtureRequest, root: Path) -> Iterator[Server]:
    python = str(Path("/usr/bin/python3").resolve())
    with Server(everywhere(python)[request.param], root) as server:
        yield server


def test_at_work_under_the_ported_profile(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, recording = server.program.name, tmp_path / "again.json"
    error = None
    try:
        server.run(Runtime("runc"), profile(name), recording)
    except AssertionError as failed:
        error = failed
    denied = sorted({each.name for each in recording_file.read_recording(recording).denials})
    with capsys.disabled():
        print(f"\n@@ NOTE {name}: denied at work: {', '.join(denied) or 'nothing'}", flush=True)
    if error:
        raise error
    assert not denied


def test_calls_that_the_ported_profile_lacks(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Compare all calls of the same workload here with the ported ones."""
    name, recording = server.program.name, tmp_path / "free.json"
    server.run(Runtime("runc", latched=False), ANY, recording)
    calls = recording_file.read_recording(recording).calls
    made = {each.name for each in calls if each.stage == Stage.PROGRAM.value}
    ported = allowed(name)
    lacks, idle = sorted(made - ported), sorted(ported - made)
    with capsys.disabled():
        print(
            f"\n@@ NOTE {name}: {len(made)} calls made here, {len(ported)} ported; still missing: "
            f"{', '.join(lacks) or 'none'}; not needed here: {', '.join(idle) or 'none'}",
            flush=True,
        )
    assert len(made) > 30


@pytest.mark.parametrize("server", ["redis"], indirect=True)
def test_the_unported_x86_profile_fails(server: Server) -> None:
    """The control: with the names as recorded on x86-64, redis cannot even wait."""
    unported = json.loads((PORTED / "redis.x86.json").read_text())
    unported["architectures"] = ["SCMP_ARCH_AARCH64"]
    with pytest.raises(AssertionError, match="ended"):
        server.run(Runtime("runc"), unported, idle=True)
