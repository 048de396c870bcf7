"""Read an object that clang compiled: ELF (elf(5)) for BPF, its functions and what they refer to.

No read goes beyond the end of the content: a wrong length ends in an ObjectError.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

INSTRUCTION = 8

_HEADER = struct.Struct("<4sBBB9xHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_RELOCATION = struct.Struct("<QQ")
_EM_BPF = 247
_SHT_SYMTAB, _SHT_NOBITS, _SHT_REL = 2, 8, 9
_OBJECT, _FUNCTION, _SECTION_ITSELF, _FILE = 1, 2, 3, 4


class ObjectError(Exception):
    """Not a BPF object, or one that needs what this loader does not have."""


class ObjectSection(NamedTuple):
    """A section; `size` without `data` is zeros."""

    name: str
    kind: int
    data: bytes
    size: int
    link: int
    info: int


class Symbol(NamedTuple):
    """A function, an object or a section."""

    name: str
    section: str
    value: int
    size: int
    kind: int
    is_global: bool


class Function(NamedTuple):
    """A function's instructions, `offset` bytes into the section; programs are the global ones."""

    name: str
    section: str
    offset: int
    code: bytes
    is_program: bool


class ObjectFile:
    """An object's sections, functions and variables; `relocations`: what instructions refer to."""

    def __init__(self, content: bytes) -> None:
        try:
            self._list = _read_sections(content)
            self.sections = {each.name: each for each in self._list}
            self._symbols = self._read_symbols()
            self.functions = [
                self._function(each) for each in self._symbols if each.kind == _FUNCTION
            ]
            self.relocations = {
                self._list[each.info].name: {
                    offset: self._symbols[info >> 32]
                    for offset, info in _RELOCATION.iter_unpack(each.data)
                }
                for each in self._list
                if each.kind == _SHT_REL
            }
        except (struct.error, ValueError, LookupError, OverflowError) as error:
            raise ObjectError(f"cut off or damaged: {error}") from error

    def variables(self, section: str) -> dict[str, Symbol]:
        """Find the global variables of a section by their names."""
        found = (each for each in self._symbols if each.kind == _OBJECT)
        return {each.name: each for each in found if each.section == section}

    def _function(self, symbol: Symbol) -> Function:
        section = self.sections[symbol.section]
        code = section.data[symbol.value : symbol.value + symbol.size]
        if len(code) != symbol.size or symbol.size % INSTRUCTION:
            raise ObjectError(f"function {symbol.name}: cut off")
        return Function(symbol.name, symbol.section, symbol.value, code, symbol.is_global)

    def _read_symbols(self) -> list[Symbol]:
        table = next((each for each in self._list if each.kind == _SHT_SYMTAB), None)
        if table is None:
            raise ObjectError("no symbols")
        names, found = self._list[table.link].data, []
        for name, info, _, number, value, size in _SYMBOL.iter_unpack(table.data):
            kind = info & 15
            # A source file is in no section: its number is a reserved one.
            section = "" if kind == _FILE else self._list[number].name
            text = section if kind == _SECTION_ITSELF else _text(names, name)
            found.append(Symbol(text, section, value, size, kind, info >> 4 == 1))
        return found


def _read_sections(content: bytes) -> list[ObjectSection]:
    magic, width, order, _, _, machine, *rest = _HEADER.unpack_from(content)
    if (magic, width, order, machine) != (b"\x7fELF", 2, 1, _EM_BPF):
        raise ObjectError("not a little-endian BPF object")
    headers = [_SECTION.unpack_from(content, rest[3] + _SECTION.size * n) for n in range(rest[-2])]
    data = [b"" if h[1] == _SHT_NOBITS else content[h[4] : h[4] + h[5]] for h in headers]
    names = data[rest[-1]]
    return [
        ObjectSection(_text(names, h[0]), h[1], each, h[5], h[6], h[7])
        for h, each in zip(headers, data, strict=True)
    ]


def _text(strings: bytes, offset: int) -> str:
    return strings[offset : strings.index(b"\0", offset)].decode("utf-8", "replace")
