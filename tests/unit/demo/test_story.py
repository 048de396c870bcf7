"""The demo without containers: its program, and a run that does not end as expected."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from seclatch.demo import run_story
from seclatch.demo.exit_program import EXIT_STATUS, make_exit_program, write_exit_program
from seclatch.demo.story import FAILS, Step, list_steps
from seclatch.errors import SeclatchError
from seclatch.scan.elf.elf_file import parse_elf


def test_the_program_exits_with_its_status(tmp_path: Path) -> None:
    write_exit_program(tmp_path / "exit42")
    assert subprocess.run([tmp_path / "exit42"], check=False).returncode == EXIT_STATUS


@pytest.mark.parametrize(("machine", "number"), [("x86_64", 62), ("aarch64", 183)])
def test_the_program_is_an_elf_file_of_its_machine(machine: str, number: int) -> None:
    elf = parse_elf(make_exit_program(machine))
    assert (elf.machine, elf.entry, elf.interpreter) == (number, 0x400078, "")


def test_another_machine_is_refused() -> None:
    with pytest.raises(SeclatchError, match="no example program for riscv64"):
        make_exit_program("riscv64")


@pytest.mark.parametrize(
    ("command", "expected", "failed"),
    [
        ("profile example strict -o strict.json", 0, False),
        ("profile example strict -o strict.json", FAILS, True),
        ("profile test missing.json read()", 2, False),
        ("profile test missing.json read()", FAILS, False),
        ("profile test missing.json read()", 0, True),
    ],
)
def test_a_command_that_ends_otherwise_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, expected: int, failed: bool
) -> None:
    monkeypatch.setattr(run_story, "list_steps", lambda _: [Step("", [(command, expected)])])
    shown: list[str] = []
    reported = run_story.run_story("runc", tmp_path, shown.append)
    assert reported == ([f"seclatch {command}"] if failed else [])
    assert shown[1] == f"$ seclatch {command}"


def test_crun_is_named_in_each_run() -> None:
    runs = [c for step in list_steps("crun") for c, _ in step.commands if c.startswith("run")]
    assert runs
    assert all("--runtime crun" in command for command in runs)
