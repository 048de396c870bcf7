from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from seclatch.model.stage import Stage
from seclatch.recording.trace.software_versions import read_versions
from seclatch.system import cache


@pytest.fixture
def runc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Make a program of a known name that prints a version, in a directory of this user."""
    monkeypatch.setattr(cache, "_folder", lambda: tmp_path / "cache")
    home = Path("/var/lib") if os.geteuid() == 0 else Path.home()
    program = home / f"seclatch-test-{os.getpid()}" / "runc"
    program.parent.mkdir(mode=0o755)
    program.write_text(
        f"#!/bin/sh\necho asked >> {tmp_path}/asked\necho runc version 7\necho more\n"
    )
    program.chmod(0o755)
    yield program
    program.unlink(missing_ok=True)
    program.parent.rmdir()


def test_version_is_queried_once(runc: Path, tmp_path: Path) -> None:
    for _ in range(2):
        [found] = read_versions([(Stage.RUNTIME, str(runc))] * 2)
        assert (found.stage, found.name, found.version) == ("runtime", "runc", "runc version 7")
    assert (tmp_path / "asked").read_text() == "asked\n"


def test_untrusted_file_is_not_run(runc: Path, tmp_path: Path) -> None:
    for path in (runc, runc.parent):
        path.chmod(0o777)
        [found] = read_versions([(Stage.RUNTIME, str(runc))])
        assert found.version == ""
        runc.chmod(0o755)
    assert not (tmp_path / "asked").exists()


@pytest.mark.parametrize(
    ("stage", "name"), [(Stage.PROGRAM, "runc"), (Stage.INIT, "runc"), (Stage.RUNTIME, "my-shell")]
)
def test_unknown_programs_are_not_run(runc: Path, stage: Stage, name: str) -> None:
    assert read_versions([(stage, str(runc.with_name(name)))]) == []


def test_missing_runtime_has_no_version(runc: Path) -> None:
    runc.unlink()
    [found] = read_versions([(Stage.RUNTIME, str(runc))])
    assert found.version == ""
