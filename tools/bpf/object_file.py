"""Read an object that clang compiled for BPF: ELF (elf(5)), its functions, and `.BTF.ext`.

Format of the latter: Documentation/bpf/btf.rst, "CO-RE relocations".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from seclatch.system.btf import Btf

INSTRUCTION = 8
BYTE_OFFSET, EXISTS, TYPE_SIZE = 0, 2, 9
"""The kinds of CO-RE relocations (enum bpf_core_relo_kind) that native/bpf uses."""

_HEADER = struct.Struct("<4sBBB9xHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_EXT_HEADER = struct.Struct("<HBBIIIIIIII")
_BLOCK = struct.Struct("<II")
_ROW = struct.Struct("<IIII")
_EM_BPF, _BTF_MAGIC = 247, 0xEB9F
_SHT_SYMTAB, _SHT_NOBITS, _SHT_REL = 2, 8, 9
_OBJECT, _FUNCTION, _SECTION_ITSELF, _FILE = 1, 2, 3, 4


class ObjectSection(NamedTuple):
    """A section; `size` without `data` is zeros."""

    name: str
    kind: int
    data: bytes
    size: int
    link: int
    info: int


class Symbol(NamedTuple):
    """A function, a variable or a section; programs are the global functions."""

    name: str
    section: str
    value: int
    size: int
    kind: int
    is_global: bool


class CoreRelocation(NamedTuple):
    """A member access to be patched: type by id in the object's BTF, path through it by numbers."""

    offset: int
    type_id: int
    path: tuple[int, ...]
    kind: int


class SourceLine(NamedTuple):
    """Where the instruction at an offset of the section comes from."""

    offset: int
    file: str
    number: int
    text: str


class ObjectFile:
    """An object; tables by section: `relocations` (symbols by offset), `accesses`, `lines`."""

    def __init__(self, content: bytes) -> None:
        self._list = _read_sections(content)
        self.sections = {each.name: each for each in self._list}
        self.symbols = self._read_symbols()
        self.functions = [each for each in self.symbols if each.kind == _FUNCTION]
        self.relocations = {
            self._list[each.info].name: {
                offset: self.symbols[info >> 32]
                for offset, info in struct.iter_unpack("<QQ", each.data)
            }
            for each in self._list
            if each.kind == _SHT_REL
        }
        self.btf = Btf(self.sections[".BTF"].data)
        self._strings = self.btf.strings()
        self.lines, self.accesses = self._read_tables(self.sections[".BTF.ext"].data)

    def variables(self, section: str) -> dict[str, Symbol]:
        """Find the global variables of a section by their names."""
        found = (each for each in self.symbols if each.kind == _OBJECT)
        return {each.name: each for each in found if each.section == section}

    def code(self, function: Symbol) -> bytes:
        """Return the instructions of a function."""
        data = self.sections[function.section].data
        return data[function.value : function.value + function.size]

    def _read_symbols(self) -> list[Symbol]:
        table = next(each for each in self._list if each.kind == _SHT_SYMTAB)
        names, found = self._list[table.link].data, []
        for name, info, _, number, value, size in _SYMBOL.iter_unpack(table.data):
            kind = info & 15
            # A source file is in no section: its number is a reserved one.
            section = "" if kind == _FILE else self._list[number].name
            text = section if kind == _SECTION_ITSELF else _text(names, name)
            found.append(Symbol(text, section, value, size, kind, info >> 4 == 1))
        return found

    def _read_tables(
        self, data: bytes
    ) -> tuple[dict[str, list[SourceLine]], dict[str, list[CoreRelocation]]]:
        magic, _, _, begin, _, _, line, lines, access, accesses, *_ = _EXT_HEADER.unpack_from(data)
        if magic != _BTF_MAGIC:
            raise ValueError(".BTF.ext: not BTF")
        text = self._strings
        return {
            name: [
                SourceLine(offset, _text(text, file), place >> 10, _text(text, at).strip())
                for offset, file, at, place in rows
            ]
            for name, rows in self._blocks(data, begin + line, lines)
        }, {
            name: [
                CoreRelocation(at, type_id, tuple(map(int, _text(text, path).split(":"))), kind)
                for at, type_id, path, kind in rows
            ]
            for name, rows in self._blocks(data, begin + access, accesses)
        }

    def _blocks(
        self, data: bytes, begin: int, size: int
    ) -> Iterator[tuple[str, list[tuple[int, ...]]]]:
        """Yield each section's rows of a table."""
        (width,) = struct.unpack_from("<I", data, begin)
        position, end = begin + 4, begin + size
        while position < end:
            name, count = _BLOCK.unpack_from(data, position)
            position += _BLOCK.size
            rows = [_ROW.unpack_from(data, position + n * width) for n in range(count)]
            position += width * count
            yield _text(self._strings, name), rows


def _read_sections(content: bytes) -> list[ObjectSection]:
    magic, width, order, _, _, machine, *rest = _HEADER.unpack_from(content)
    if (magic, width, order, machine) != (b"\x7fELF", 2, 1, _EM_BPF):
        raise ValueError("not a little-endian BPF object")
    headers = [_SECTION.unpack_from(content, rest[3] + _SECTION.size * n) for n in range(rest[-2])]
    data = [b"" if h[1] == _SHT_NOBITS else content[h[4] : h[4] + h[5]] for h in headers]
    names = data[rest[-1]]
    return [
        ObjectSection(_text(names, h[0]), h[1], each, h[5], h[6], h[7])
        for h, each in zip(headers, data, strict=True)
    ]


def _text(strings: bytes, offset: int) -> str:
    return strings[offset : strings.index(b"\0", offset)].decode()
