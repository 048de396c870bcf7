"""The search path of the latch."""

import sysconfig
from pathlib import Path
from typing import Any

import pytest

from seclatch.errors import SeclatchError
from seclatch.runtime.find_latch import find_latch, read_latch


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    made = {}
    for place in ("scripts", "path"):
        made[place] = tmp_path / place
        made[place].mkdir()
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(made["scripts"]))
    monkeypatch.setenv("PATH", str(made["path"]))
    return made


def install(directory: Path) -> Path:
    program = directory / "seclatch-runc"
    program.write_text("")
    program.chmod(0o755)
    return program


def test_scripts_first_then_path(places: Any) -> None:
    on_path = install(places["path"])
    assert find_latch("runc") == on_path
    install(places["scripts"])
    assert find_latch("runc") == places["scripts"] / "seclatch-runc"


def test_missing(places: Any) -> None:
    with pytest.raises(SeclatchError, match="seclatch-crun") as caught:
        find_latch("crun")
    assert "with pipx or pip" in caught.value.remedy


def test_a_file_that_is_no_elf_program_is_refused(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\n")
    with pytest.raises(SeclatchError, match="not an ELF program"):
        read_latch(script)
    with pytest.raises(SeclatchError, match="No such file"):
        read_latch(tmp_path / "none")
