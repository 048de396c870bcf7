"""Read which maps an object declares: from the types in its `.maps` section, as libbpf does.

An attribute is a member of the map's structure: a number N as the type `int (*)[N]`, a key's or
value's type as a pointer to it.
"""

from __future__ import annotations

from typing import NamedTuple

from seclatch.bpf.object_file import ObjectError, ObjectFile
from seclatch.system import bpf
from seclatch.system.btf import ARRAY, POINTER, Btf

CONSTANTS = ".rodata"
_GLOBALS = (CONSTANTS, ".data", ".bss")
_MAX_GLOBALS = 1 << 20
_VARIABLE = 14  # BTF_KIND_VAR


class MapDefinition(NamedTuple):
    """What bpf(2) needs to make a map; `content` is the first value of one with globals."""

    name: str
    kind: int
    key: int = 0
    value: int = 0
    entries: int = 0
    flags: int = 0
    content: bytes = b""


def read_map_definitions(file: ObjectFile, btf: Btf) -> dict[str, MapDefinition]:
    """Read all maps by their names; sections with globals are maps, too. Raises ObjectError."""
    found = {name: _read_map(btf, name) for name in file.variables(".maps")}
    for name in _GLOBALS:
        section = file.sections.get(name)
        if section and section.size:
            if section.size > _MAX_GLOBALS:
                raise ObjectError(f"{name}: {section.size} bytes")
            content = section.data.ljust(section.size, b"\0")
            flags = bpf.READ_ONLY_FOR_PROGRAMS if name == CONSTANTS else bpf.MMAPABLE
            found[name] = MapDefinition(name, bpf.ARRAY, 4, len(content), 1, flags, content)
    return found


def _read_map(btf: Btf, name: str) -> MapDefinition:
    variable = next((each for each in btf.named(name) if each.kind == _VARIABLE), None)
    if variable is None:
        raise ObjectError(f"map {name}: no type")
    values: dict[str, int] = {}
    for member, target, _ in btf.read(variable.refers).members:
        pointed = btf.read(target)
        meant = btf.read(pointed.refers) if pointed.kind == POINTER else pointed
        number = member not in ("key", "value")
        if pointed.kind != POINTER or (number and meant.kind != ARRAY):
            raise ObjectError(f"map {name}: {member} is no attribute")
        values[member] = meant.length if number else btf.size_of(pointed.refers)
    if "type" not in values:
        raise ObjectError(f"map {name}: no map type")
    attributes = ("type", "key", "value", "max_entries", "map_flags")
    kind, key, value, entries, flags = (values.get(each, 0) for each in attributes)
    return MapDefinition(name, kind, key, value, entries, flags)
