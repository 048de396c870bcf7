"""Load the maps and programs of an object into the running kernel."""

from __future__ import annotations

import contextlib
import os
import re
import struct
from functools import cache, cached_property
from pathlib import Path

from seclatch.bpf.btf_ext import BtfExt, Relocation
from seclatch.bpf.core_relocation import POISON, find_member, patch
from seclatch.bpf.kernel_types import KernelTypes
from seclatch.bpf.linked_program import LinkedBpfProgram
from seclatch.bpf.map_definitions import CONSTANTS, MapDefinition, read_map_definitions
from seclatch.bpf.object_file import INSTRUCTION, Function, ObjectError, ObjectFile, Symbol
from seclatch.errors import SeclatchError
from seclatch.system import bpf
from seclatch.system.btf import Btf, BtfError

_MACHINES = ("x86_64", "aarch64")

_PSEUDO_MAP, _PSEUDO_MAP_VALUE = 1, 2
# By section, as libbpf names them: the kind, and what to ask the kernel's BTF for.
_SECTIONS = {
    "raw_tp": (bpf.ProgramKind.RAW_TRACEPOINT, ""),
    "tp_btf": (bpf.ProgramKind.TRACEPOINT, "trace:{}"),
    "fentry": (bpf.ProgramKind.FENTRY, "function:{}"),
    "fexit": (bpf.ProgramKind.FEXIT, "function:{}"),
    "iter": (bpf.ProgramKind.ITERATOR, "function:bpf_iter_{}"),
}
_LOG_INSTRUCTION = re.compile(r"^(\d+): \(", re.MULTILINE)


class BpfObject:
    """An object of the package, as compiled for a machine."""

    def __init__(self, content: bytes) -> None:
        self.file = ObjectFile(content)
        sections = self.file.sections
        if ".BTF" not in sections or ".BTF.ext" not in sections:
            raise ObjectError("no BTF: compiled without -g")
        try:
            self.btf = Btf(sections[".BTF"].data)
            self.ext = BtfExt(sections[".BTF.ext"].data, self.btf.strings())
            self.maps = read_map_definitions(self.file, self.btf)
            self.accesses = self._name_accesses()
        except (BtfError, struct.error, ValueError, RecursionError) as error:
            raise ObjectError(f"BTF: {error}") from error

    @classmethod
    def of_package(cls, name: str) -> BpfObject:
        """Read an object of the package."""
        return cls(Path(__file__).with_name("objects").joinpath(f"{name}.o").read_bytes())

    @classmethod
    def of_machine(cls, name: str, doing: str) -> BpfObject:
        """Read an object that is made for each machine. Raises SeclatchError for other machines."""
        machine = os.uname().machine
        if machine not in _MACHINES:
            raise SeclatchError(
                f"{doing}: not made for {machine} yet", remedy="x86-64 and arm64 are served"
            )
        return cls.of_package(f"{name}.{machine}")

    @cached_property
    def programs(self) -> dict[str, Function]:
        """Programs by their names."""
        return {each.name: each for each in self.file.functions if each.is_program}

    def questions(self) -> tuple[str, ...]:
        """List what all programs need to know of a kernel (`seclatch.bpf.kernel_types`)."""
        found = {question for rows in self.accesses.values() for _, question, _ in rows}
        found |= {target for each in self.programs.values() if (target := read_target(each)[1])}
        return tuple(sorted(found))

    def _name_accesses(self) -> dict[str, list[tuple[Relocation, str, int]]]:
        find = cache(lambda type_id, path: find_member(self.btf, type_id, path))
        return {
            section: [(row, *find(row.type_id, row.path)) for row in rows]
            for section, rows in self.ext.relocations.items()
        }


def read_target(program: Function) -> tuple[bpf.ProgramKind, str]:
    """Read a program's kind, and the question for the BTF id of its attach target."""
    kind, _, name = program.section.partition("/")
    if kind not in _SECTIONS:
        raise ObjectError(f"program {program.name}: section {program.section}")
    return _SECTIONS[kind][0], _SECTIONS[kind][1].format(name)


class Loader:
    """Makes maps of an object as its programs need them, and loads those that are asked for."""

    def __init__(
        self, found: BpfObject, types: KernelTypes, constants: dict[str, bytes] | None = None
    ) -> None:
        """Take the kernel's answers to the object's questions, and values of its constants."""
        self._object = found
        self._types = types
        self._constants = constants or {}
        self._maps: dict[str, bpf.Map] = {}

    def load(self, name: str) -> int:
        """Load a program, answer its descriptor. Raises OSError, bpf.VerifierError."""
        program = self._object.programs[name]
        kind, question = read_target(program)
        target = self._types[question] if question else 0
        if target is None:
            raise bpf.VerifierError(f"program {name}: this kernel has no {program.section}", "")
        linked = LinkedBpfProgram(self._object.file, program)
        for at, symbol in linked.references:
            self._refer(linked.code, at, symbol)
        missing = self._patch_accesses(linked)
        try:
            return bpf.load_program(bytes(linked.code), name, kind, target)
        except bpf.VerifierError as error:
            reason = self._explain(error.log, linked, missing)
            raise bpf.VerifierError(f"{error}{reason}", error.log) from error

    def use(self, name: str) -> bpf.Map:
        """Find a map by its name; the first use creates it. Raises OSError."""
        if name not in self._maps:
            self._maps[name] = self._create(self._object.maps[name])
        return self._maps[name]

    def find_global(self, name: str) -> int:
        """Where in `.bss` or `.data` a variable is."""
        for section in (".data", ".bss"):
            variables = self._object.file.variables(section)
            if name in variables:
                return variables[name].value
        raise KeyError(name)

    def close(self) -> None:
        """Close all maps; programs hold theirs."""
        for each in self._maps.values():
            with contextlib.suppress(OSError):
                os.close(each.fd)
        self._maps = {}

    def _create(self, wanted: MapDefinition) -> bpf.Map:
        made = bpf.create_map(
            wanted.kind,
            key=wanted.key,
            value=wanted.value,
            entries=wanted.entries,
            flags=wanted.flags,
            name=wanted.name.lstrip("."),
        )
        try:
            if wanted.name == CONSTANTS:
                made.set(bytes(4), self._set_constants(wanted.content))
                bpf.freeze(made)
            elif any(wanted.content):
                made.set(bytes(4), wanted.content)
        except OSError:
            os.close(made.fd)
            raise
        return made

    def _set_constants(self, initial: bytes) -> bytes:
        content = bytearray(initial)
        variables = self._object.file.variables(CONSTANTS)
        for name, value in self._constants.items():
            variable = variables[name]
            if len(value) != variable.size:
                raise ValueError(f"{name} has {variable.size} bytes, not {len(value)}")
            content[variable.value : variable.value + variable.size] = value
        return bytes(content)

    def _refer(self, code: bytearray, at: int, symbol: Symbol) -> None:
        """Have a 16-byte instruction load a map, or the address of a global in one."""
        name, kind, offset = symbol.name, _PSEUDO_MAP, 0
        if symbol.section != ".maps":
            name, kind = symbol.section, _PSEUDO_MAP_VALUE
            offset = symbol.value + struct.unpack_from("<i", code, at + 4)[0]
        if name not in self._object.maps:
            raise ObjectError(f"reference to {symbol.name} in {symbol.section}")
        code[at + 1] = code[at + 1] & 15 | kind << 4
        struct.pack_into("<i4xi", code, at + 4, self.use(name).fd, offset)

    def _patch_accesses(self, linked: LinkedBpfProgram) -> dict[int, str]:
        """Write offsets into the code; answer what this kernel lacks, by instruction."""
        missing = {}
        for part in linked.parts:
            for row, question, rest in self._object.accesses.get(part.function.section, ()):
                at = part.position(row.offset)
                if at is None:
                    continue
                found = self._types[question]
                patch(linked.code, at, row.kind, None if found is None else found + rest)
                if found is None:
                    missing[at] = question
        return missing

    def _explain(self, log: str, linked: LinkedBpfProgram, missing: dict[int, str]) -> str:
        """Where in the C source the verifier stopped, or which member this kernel lacks."""
        numbers = _LOG_INSTRUCTION.findall(log)
        if not numbers:
            return ""
        at = int(numbers[-1]) * INSTRUCTION
        if str(POISON) in log and at in missing:
            return f": this kernel has no {missing[at]}"
        section, offset = linked.find_source(at)
        lines = self._object.ext.read_lines().get(section, [])
        before = [line for line in lines if line.offset <= offset]
        if not before:
            return ""
        line = before[-1]
        return f" at {os.path.basename(line.file)}:{line.number}: {line.text}"  # noqa: PTH119
