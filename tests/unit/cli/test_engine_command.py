"""`seclatch install` by a user: the remedy is the same command, run as root."""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path

import pytest

from seclatch.cli.shared.engine_command import as_root


@pytest.mark.parametrize(
    "words", [["install", "docker"], ["install", "podman", "--runtime", "crun", "--default"]]
)
@pytest.mark.parametrize("system", [True, False])
def test_the_remedy_repeats_the_given_options(
    words: list[str], system: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "my env" / "seclatch"
    program.parent.mkdir()
    program.touch()
    program.chmod(0o755)
    known = {str(program): str(program)} | ({"seclatch": "/usr/bin/seclatch"} if system else {})
    monkeypatch.setattr(shutil, "which", lambda name, path=os.defpath: known.get(name))
    shown = as_root([str(program), *words])
    assert shlex.split(shown) == ["sudo", "seclatch" if system else str(program), *words]
