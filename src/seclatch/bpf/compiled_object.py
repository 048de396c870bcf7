"""What the loader needs of an object of native/bpf, as `make bpf` writes it into `objects`.

Everything is named that clang had numbered: maps, functions, members of the kernel's structures.
tools/bpf/python_module.py writes the modules, as plain tuples and texts.
"""

from __future__ import annotations

import importlib
import os
from typing import NamedTuple

from seclatch.errors import SeclatchError
from seclatch.system import bpf

INSTRUCTION = 8
_MACHINES = ("x86_64", "aarch64")
# By section, as libbpf names them: the kind, and what to ask the kernel's BTF for.
_SECTIONS = {
    "raw_tp": (bpf.ProgramKind.RAW_TRACEPOINT, ""),
    "tp_btf": (bpf.ProgramKind.TRACEPOINT, "trace:{}"),
    "fentry": (bpf.ProgramKind.FENTRY, "function:{}"),
    "fexit": (bpf.ProgramKind.FEXIT, "function:{}"),
    "iter": (bpf.ProgramKind.ITERATOR, "function:bpf_iter_{}"),
}


class BpfMap(NamedTuple):
    """What bpf(2) needs to make a map; `content` (hexadecimal) is the value of one with globals."""

    kind: int
    key: int
    value: int
    entries: int
    flags: int
    content: str


class BpfVariable(NamedTuple):
    """A global variable: the map that has it, where in that's value, and how large it is."""

    map: str
    offset: int
    size: int


class MapReference(NamedTuple):
    """An instruction that loads a map or, with `inside`, the address of a byte of its value."""

    offset: int
    map: str
    inside: int | None


class BpfAccess(NamedTuple):
    """An instruction to be patched (CO-RE): with the answer to a question, and bytes to add.

    Questions are those of `seclatch.bpf.kernel_types`; `exists`: with 1 or 0, whether there is one.
    """

    offset: int
    question: str
    rest: int
    exists: bool


class BpfFunction(NamedTuple):
    """A function: code (hexadecimal), the calls in it by offset, what is to be patched.

    `lines`: a line of text for each line of C, the offset of its first instruction before it.
    """

    code: str
    calls: tuple[tuple[int, str], ...]
    maps: tuple[tuple[int, str, int | None], ...]
    accesses: tuple[tuple[int, str, int, bool], ...]
    lines: str


class CompiledObject(NamedTuple):
    """An object: its programs' sections, and maps, variables and functions by name."""

    sections: dict[str, str]
    maps: dict[str, BpfMap]
    variables: dict[str, BpfVariable]
    functions: dict[str, BpfFunction]

    def read_target(self, program: str) -> tuple[bpf.ProgramKind, str]:
        """Read a program's kind, and the question for the BTF id of its attach target."""
        kind, _, name = self.sections[program].partition("/")
        return _SECTIONS[kind][0], _SECTIONS[kind][1].format(name)

    def questions(self) -> tuple[str, ...]:
        """List what all programs need to know of a kernel."""
        found = {row[1] for function in self.functions.values() for row in function.accesses}
        found |= {target for name in self.sections if (target := self.read_target(name)[1])}
        return tuple(sorted(found))


def import_object(name: str) -> CompiledObject:
    """Import an object of the package."""
    module = importlib.import_module(f"seclatch.bpf.objects.{name}")
    return CompiledObject(
        module.SECTIONS,
        {name: BpfMap(*row) for name, row in module.MAPS.items()},
        {name: BpfVariable(*row) for name, row in module.VARIABLES.items()},
        {name: BpfFunction(*row) for name, row in module.FUNCTIONS.items()},
    )


def import_object_of_machine(name: str, doing: str) -> CompiledObject:
    """Import an object that is made for each machine. Raises SeclatchError for other machines."""
    machine = os.uname().machine
    if machine not in _MACHINES:
        raise SeclatchError(
            f"{doing}: not made for {machine} yet", remedy="x86-64 and arm64 are served"
        )
    return import_object(f"{name}_{machine}")
