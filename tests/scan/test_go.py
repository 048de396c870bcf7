"""Programs linked by Go, in which two call numbers are no constants in code."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from seclatch.scan.elf import pclntab
from seclatch.scan.elf.elf_file import parse_elf
from seclatch.scan.elf.relocations import read_relocations
from tests.latch.oci import SCRIPTS


def programs(name: str, folder: Path) -> dict[str, object]:
    path = shutil.which(name)
    assert path, f"{name} is not installed"
    output = folder / f"{name}.json"
    subprocess.run(
        [SCRIPTS / "seclatch", "scan", "--entrypoint", path, "-o", output, "/"],
        check=True,
        capture_output=True,
    )
    (program,) = json.loads(output.read_text())["programs"]
    assert isinstance(program, dict)
    return program


def test_a_go_program_is_whole(tmp_path: Path) -> None:
    """fcntl's number is in a variable, and that of the call of all threads in another."""
    program = programs("runc", tmp_path)
    assert program["open"] == []
    calls = program["calls"]
    assert isinstance(calls, list)
    names = {each["name"] for each in calls}
    assert {"fcntl", "mount", "pivot_root", "epoll_ctl"} <= names


@pytest.mark.parametrize(("name", "there"), [("runc", True), ("docker", True), ("crun", False)])
def test_functions_are_found_by_name_in_go_programs(name: str, there: bool) -> None:
    path = shutil.which(name)
    assert path
    elf = parse_elf(Path(path).read_bytes())
    wanted = frozenset({"runtime.runPerThreadSyscall", "runtime.no_such_function"})
    found = pclntab.find_named_functions(elf, read_relocations(elf), wanted)
    assert set(found) == ({"runtime.runPerThreadSyscall"} if there else set())
    assert all(map(elf.is_code, found.values()))
