"""Read a BPF object: the ELF file that clang makes of a `.bpf.c`.

Sections by convention of libbpf: programs are global functions in sections named for where they are
attached, `.text` has the functions that they call, `.maps` declares maps, `.rodata`, `.data` and
`.bss` hold globals. Objects are part of the package, yet a wrong length ends in an ObjectError.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cached_property

INSTRUCTION = 8

_ELF_HEADER = struct.Struct("<4sBBB9xHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_RELOCATION = struct.Struct("<QQ")
_EM_BPF = 247
_SHT_SYMTAB, _SHT_NOBITS, _SHT_REL = 2, 8, 9
_STB_GLOBAL = 1
_STT_OBJECT, _STT_FUNC, _STT_SECTION, _STT_FILE = 1, 2, 3, 4


class ObjectError(Exception):
    """Not a BPF object, or one that needs what this loader does not have."""


@dataclass(frozen=True, slots=True)
class ObjectSection:
    """A section; `size` without `data` is zeros."""

    name: str
    kind: int
    data: bytes
    size: int
    link: int
    info: int


@dataclass(frozen=True, slots=True)
class Symbol:
    """A function, an object or a section; `section` is that section's number."""

    name: str
    section: int
    value: int
    size: int
    kind: int
    is_global: bool


@dataclass(frozen=True, slots=True)
class Function:
    """A function's instructions: `offset` bytes into the section."""

    name: str
    section: str
    offset: int
    code: bytes
    is_program: bool


class ObjectFile:
    """An object's sections, functions and relocations."""

    def __init__(self, content: bytes) -> None:
        try:
            self.sections = _read_sections(content)
            self.symbols = self._read_symbols()
        except (struct.error, IndexError, OverflowError) as error:
            raise ObjectError("cut off") from error

    def find(self, name: str) -> ObjectSection | None:
        """Find a section by its name."""
        return next((each for each in self.sections if each.name == name), None)

    @cached_property
    def functions(self) -> list[Function]:
        """All functions; programs are the global ones."""
        found = []
        for symbol in self.symbols:
            if symbol.kind == _STT_FUNC:
                section = self.sections[symbol.section]
                code = section.data[symbol.value : symbol.value + symbol.size]
                if len(code) != symbol.size or symbol.size % INSTRUCTION:
                    raise ObjectError(f"function {symbol.name}: cut off")
                found.append(
                    Function(symbol.name, section.name, symbol.value, code, symbol.is_global)
                )
        return found

    def variables(self, section: str) -> dict[str, Symbol]:
        """Find the global variables of a section by their names."""
        return {
            each.name: each
            for each in self.symbols
            if each.kind == _STT_OBJECT and self.sections[each.section].name == section
        }

    @cached_property
    def relocations(self) -> dict[str, dict[int, Symbol]]:
        """What instructions refer to, by section and offset."""
        found: dict[str, dict[int, Symbol]] = {}
        for section in self.sections:
            if section.kind == _SHT_REL:
                try:
                    at = found.setdefault(self.sections[section.info].name, {})
                    for offset, info in _RELOCATION.iter_unpack(section.data):
                        at[offset] = symbol = self.symbols[info >> 32]
                        self.sections[symbol.section]
                except (struct.error, IndexError) as error:
                    raise ObjectError(f"{section.name}: damaged") from error
        return found

    def _read_symbols(self) -> list[Symbol]:
        table = next((each for each in self.sections if each.kind == _SHT_SYMTAB), None)
        if table is None:
            raise ObjectError("no symbols")
        names = self.sections[table.link].data
        found = []
        for name, info, _, section, value, size in _SYMBOL.iter_unpack(table.data):
            kind = info & 15
            is_file = kind == _STT_FILE  # of no section: its number is a reserved one
            if section >= len(self.sections) and not is_file:
                raise ObjectError(f"a symbol in section {section}, which there is not")
            named = self.sections[section].name if kind == _STT_SECTION else _text(names, name)
            found.append(Symbol(named, section, value, size, kind, info >> 4 == _STB_GLOBAL))
        return found


def _read_sections(content: bytes) -> list[ObjectSection]:
    magic, width, order, _, _, machine, *rest = _ELF_HEADER.unpack_from(content)
    if (magic, width, order, machine) != (b"\x7fELF", 2, 1, _EM_BPF):
        raise ObjectError("not a little-endian BPF object")
    position, size, count, names = rest[3], rest[-3], rest[-2], rest[-1]
    if size != _SECTION.size:
        raise ObjectError("section headers of a wrong size")
    headers = [_SECTION.unpack_from(content, position + size * n) for n in range(count)]

    def data(header: tuple[int, ...]) -> bytes:
        return b"" if header[1] == _SHT_NOBITS else content[header[4] : header[4] + header[5]]

    strings = data(headers[names])
    return [ObjectSection(_text(strings, h[0]), h[1], data(h), h[5], h[6], h[7]) for h in headers]


def _text(strings: bytes, offset: int) -> str:
    end = strings.find(b"\0", offset)
    if end < 0:
        raise ObjectError("a name without an end")
    return strings[offset:end].decode("utf-8", "replace")
