"""Write what the loader needs of an object as a Python module: `seclatch.bpf.compiled_object`.

What clang numbers is named here (maps, members of the kernel's structures, functions that are
called), so that no ELF and BTF is left to read when a recording starts. What the loader does not
have, as native/bpf does not use it, is an error here.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import PurePath

from seclatch.bpf.compiled_object import BpfAccess, BpfFunction, BpfMap, BpfVariable, MapReference
from seclatch.system import bpf
from seclatch.system.btf import ARRAY, POINTER, Btf
from tools.bpf.object_file import BYTE_OFFSET, EXISTS, INSTRUCTION, TYPE_SIZE, ObjectFile, Symbol

CONSTANTS = ".rodata"
_GLOBALS = (CONSTANTS, ".data", ".bss")
_VARIABLE = 14  # BTF_KIND_VAR
_CALL, _LOAD_64 = 0x85, 0x18
_PSEUDO_CALL = 1
_PATCHED = (1, 2, 3, 4, 7)  # classes LDX, ST, STX, ALU, ALU64
_COLUMNS = 80


def write_module(content: bytes, source: str) -> str:
    """Return the module of an object that was compiled from this source."""
    file = ObjectFile(content)
    tables = {
        "SECTIONS": {each.name: each.section for each in file.functions if each.is_global},
        "MAPS": {name: tuple(each) for name, each in read_maps(file).items()},
        "VARIABLES": {name: tuple(each) for name, each in read_variables(file).items()},
        "FUNCTIONS": {each.name: tuple(read_function(file, each)) for each in file.functions},
    }
    if len(tables["FUNCTIONS"]) != len(file.functions):
        raise ValueError(f"{source}: two functions have one name")
    rows = [f'"""Compiled from native/bpf/{source} by `make bpf`; not to be edited."""\n']
    rows += ["# fmt: off", "# ruff: noqa: E501"]
    rows += [f"{name} = {_show(table, 0)}" for name, table in tables.items()]
    return "\n".join(rows) + "\n"


def _show(value: object, depth: int) -> str:
    """Write a value with a row for each entry, code and lines with one for each line."""
    inner, outer = "    " * (depth + 1), "    " * depth
    if isinstance(value, dict):
        rows = [f"{inner}{name!r}: {_show(each, depth + 1)},\n" for name, each in value.items()]
        return "{\n" + "".join(rows) + outer + "}"
    if isinstance(value, tuple):
        shown = [_show(each, depth + 1) for each in value]
        if sum(map(len, shown)) <= _COLUMNS:
            return f"({', '.join(shown)}{',' if len(shown) == 1 else ''})"
        return "(\n" + "".join(f"{inner}{each},\n" for each in shown) + outer + ")"
    if isinstance(value, str) and len(value) > _COLUMNS:
        return "(\n" + "".join(f"{inner}{row!r}\n" for row in _cut(value)) + outer + ")"
    return repr(value)


def _cut(text: str) -> list[str]:
    if "\n" in text:
        return text.splitlines(keepends=True)
    width = 8 * INSTRUCTION  # hexadecimal digits of four instructions
    return [text[at : at + width] for at in range(0, len(text), width)]


def read_function(file: ObjectFile, function: Symbol) -> BpfFunction:
    """Read a function with all that has to be patched in it, by offsets from its begin."""
    end = function.value + function.size
    code = file.code(function)
    accesses = tuple(
        BpfAccess(row.offset - function.value, *name_member(file.btf, row.type_id, row.path, kind))
        for row in file.accesses.get(function.section, ())
        if function.value <= row.offset < end
        for kind in [row.kind]
    )
    maps = tuple(_list_references(file, function, code))
    for access in accesses:
        if code[access.offset] & 7 not in _PATCHED:
            raise ValueError(f"{function.name}: CO-RE relocation of {code[access.offset]:#x}")
    calls = tuple(_list_calls(file, function, code))
    return BpfFunction(code.hex(), calls, maps, accesses, _list_lines(file, function))


def _list_lines(file: ObjectFile, function: Symbol) -> str:
    """List the lines of C, each where its instructions begin."""
    rows, before = "", ""
    for offset, path, number, text in file.lines[function.section]:
        line = f"{PurePath(path).name}:{number}: {text}\n"
        if function.value <= offset < function.value + function.size and line != before:
            rows += f"{offset - function.value} {line}"
            before = line
    return rows


def _list_calls(file: ObjectFile, function: Symbol, code: bytes) -> Iterator[tuple[int, str]]:
    """Yield each call of a function of the object: offset of the instruction, and its name."""
    symbols = file.relocations.get(function.section, {})
    names = {(each.section, each.value): each.name for each in file.functions}
    for at in range(0, len(code), INSTRUCTION):
        operation, registers, _, distance = struct.unpack_from("<BBhi", code, at)
        if operation == _CALL and registers >> 4 == _PSEUDO_CALL:
            # Counted from the next instruction, or from the symbol: a function or its section.
            symbol = symbols.get(function.value + at)
            section = symbol.section if symbol else function.section
            base = symbol.value if symbol else function.value + at
            yield at, names[section, base + INSTRUCTION * (distance + 1)]


def _list_references(file: ObjectFile, function: Symbol, code: bytes) -> Iterator[MapReference]:
    """Yield each instruction that loads a map, or the address of a variable in one."""
    for place, symbol in file.relocations.get(function.section, {}).items():
        at = place - function.value
        if not 0 <= at < len(code) or code[at] == _CALL:
            continue
        if code[at] != _LOAD_64 or symbol.section not in (".maps", *_GLOBALS):
            raise ValueError(f"{function.name}: reference to {symbol.name} in {symbol.section}")
        if symbol.section == ".maps":
            yield MapReference(at, symbol.name, None)
        else:
            (inside,) = struct.unpack_from("<i", code, at + 4)
            yield MapReference(at, symbol.section, symbol.value + inside)


def name_member(btf: Btf, type_id: int, path: tuple[int, ...], kind: int) -> tuple[str, int, bool]:
    """Name what is accessed, as a question for the kernel's BTF; bytes to add; whether it exists.

    The bytes are those of an array's elements before the accessed one.
    """
    found = btf.read(type_id)
    name, rest = found.name, 0
    if path[0] != 0 or not name or kind not in (BYTE_OFFSET, EXISTS, TYPE_SIZE):
        raise ValueError(f"CO-RE relocation {kind} of {name or 'a nameless type'}, path {path}")
    for index in path[1:]:
        if found.kind == ARRAY:
            rest += index * btf.size_of(found.element)
            found = btf.read(found.element)
            continue
        member, target, _ = found.members[index]
        name = f"{name}.{member}" if member else name
        found = btf.read(target)
    return name, rest, kind == EXISTS


def read_maps(file: ObjectFile) -> dict[str, BpfMap]:
    """Read all maps by their names; sections with variables are maps, too."""
    found = {name: _read_map(file.btf, name) for name in file.variables(".maps")}
    for name in _GLOBALS:
        section = file.sections.get(name)
        if section and section.size:
            content = section.data.ljust(section.size, b"\0")
            flags = bpf.READ_ONLY_FOR_PROGRAMS if name == CONSTANTS else bpf.MMAPABLE
            text = content.hex() if any(content) else ""
            found[name] = BpfMap(bpf.ARRAY, 4, section.size, 1, flags, text)
    return found


def _read_map(btf: Btf, name: str) -> BpfMap:
    """Read a map's attributes from its type, as libbpf does.

    A number N is a member of the type `int (*)[N]`, a key's or value's type a pointer to it.
    """
    variable = next(each for each in btf.named(name) if each.kind == _VARIABLE)
    values: dict[str, int] = {}
    for member, target, _ in btf.read(variable.refers).members:
        pointed = btf.read(target)
        meant = btf.read(pointed.refers)
        number = member not in ("key", "value")
        if pointed.kind != POINTER or (number and meant.kind != ARRAY):
            raise ValueError(f"map {name}: {member} is no attribute")
        values[member] = meant.length if number else btf.size_of(pointed.refers)
    attributes = ("type", "key", "value", "max_entries", "map_flags")
    kind, key, value, entries, flags = (values.pop(each, 0) for each in attributes)
    if values or not kind:
        raise ValueError(f"map {name}: attributes {values}, type {kind}")
    return BpfMap(kind, key, value, entries, flags, "")


def read_variables(file: ObjectFile) -> dict[str, BpfVariable]:
    """Read all variables by their names: in which section, where in it, and their size."""
    return {
        name: BpfVariable(section, symbol.value, symbol.size)
        for section in _GLOBALS
        for name, symbol in file.variables(section).items()
    }
