"""The demo without containers: its program, and a run that does not end as expected."""

from __future__ import annotations

import pytest

from seclatch.demo.exit_program import make_exit_program
from seclatch.demo.story import list_steps
from seclatch.errors import SeclatchError
from seclatch.scan.elf.elf_file import parse_elf


@pytest.mark.parametrize(("machine", "number"), [("x86_64", 62), ("aarch64", 183)])
def test_the_program_is_an_elf_file_of_its_machine(machine: str, number: int) -> None:
    elf = parse_elf(make_exit_program(machine))
    assert (elf.machine, elf.entry, elf.interpreter) == (number, 0x400078, "")


def test_another_machine_is_refused() -> None:
    with pytest.raises(SeclatchError, match="no example program for riscv64"):
        make_exit_program("riscv64")


def test_crun_is_named_in_each_run() -> None:
    runs = [c for step in list_steps("crun") for c, _ in step.commands if c.startswith("run")]
    assert runs
    assert all("--runtime crun" in command for command in runs)
