"""Symbols of an ELF file with their versions: exports, imports, and addresses of data objects."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from seclatch.scan.elf import elf_file as elfs
from seclatch.scan.elf.elf_file import ElfError, ElfFile

_NOTYPE, _OBJECT, _FUNC, _TLS, _IFUNC = 0, 1, 2, 6, 10
_WEAK = 2
_RESERVED = 0xFF00
_HIDDEN = 0x8000
_NAME = 4096
_ROW = np.dtype("<u4,u1,u1,<u2,<u8,<u8")


@dataclass(frozen=True, slots=True)
class SymbolExport:
    """One definition of a name. `default`: an unversioned reference is bound to it."""

    version: str
    default: bool
    address: int
    ifunc: bool


@dataclass(slots=True)
class SymbolTables:
    """`table[i]` is (name, version or "") of dynamic symbol i, as relocations number them.

    `functions` are addresses of functions and `objects` (address, size) of data, of both tables;
    `names` maps an address of a function to one of its names.
    """

    table: list[tuple[str, str]] = field(default_factory=list)
    exports: dict[str, list[SymbolExport]] = field(default_factory=dict)
    functions: list[int] = field(default_factory=list)
    objects: list[tuple[int, int]] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)

    def name(self, index: int) -> str:
        """Return the name of dynamic symbol `index`; empty if there is none."""
        return self.table[index][0] if index < len(self.table) else ""


def read_symbols(elf: ElfFile) -> SymbolTables:
    """Read both symbol tables."""
    symbols = SymbolTables()
    _read_dynamic(elf, symbols)
    for section in elf.sections:
        if section.kind == elfs.SYMTAB and section.link < len(elf.sections):
            _read_static(elf, section, symbols)
    return symbols


def _read_dynamic(elf: ElfFile, symbols: SymbolTables) -> None:
    table, strings = elf.first(elfs.DT_SYMTAB), elf.first(elfs.DT_STRTAB)
    if table is None or strings is None:
        return
    start, count = table - elf.base, _count_symbols(elf)
    if start < 0 or count > (len(elf.memory) - start) // 24:
        raise ElfError("the dynamic symbol table lies outside of the file")
    versions = _read_versions(elf, strings)
    numbers = elf.first(elfs.DT_VERSYM)
    for index, row in enumerate(np.frombuffer(elf.memory, _ROW, count, start).tolist()):
        name = elf.text(strings + row[0]) if row[0] else ""
        number = elf.unpack("<H", numbers + 2 * index)[0] if numbers else 1
        version = versions.get(number & 0x7FFF, "") if number & 0x7FFF > 1 else ""
        symbols.table.append((name, version))
        _, info, _, section, value, size = row
        if section and section < _RESERVED and info & 15 != _TLS:
            export = SymbolExport(version, not number & _HIDDEN, value, info & 15 == _IFUNC)
            symbols.exports.setdefault(name, []).append(export)
            _add_definition(elf, symbols, name, (info & 15, value, size))


def _add_definition(
    elf: ElfFile, symbols: SymbolTables, name: str, row: tuple[int, int, int]
) -> None:
    kind, value, size = row
    if kind in (_FUNC, _IFUNC) or (kind == _NOTYPE and elf.is_code(value)):
        symbols.functions.append(value)
        symbols.names.setdefault(value, name)
    elif kind == _OBJECT:
        symbols.objects.append((value, size))


def _read_static(elf: ElfFile, section: elfs.ElfSection, symbols: SymbolTables) -> None:
    strings = elf.contents(elf.sections[section.link])
    rows = np.frombuffer(elf.contents(section), _ROW, section.size // 24)
    kind = rows["f1"] & 15
    for name, info, _, home, value, size in rows[(kind <= _FUNC) | (kind == _IFUNC)].tolist():
        # Assembly's labels have no type; mapping symbols of aarch64 ($x, $d) are no functions.
        typed = info & 15 != _NOTYPE
        if home and home < _RESERVED and (typed or info >> 4):
            end = strings.find(b"\0", name, name + _NAME)
            text = strings[name : end if end >= 0 else name + _NAME]
            _add_definition(
                elf, symbols, text.decode("utf-8", "backslashreplace"), (info & 15, value, size)
            )


def _count_symbols(elf: ElfFile) -> int:
    """Return the number of dynamic symbols: no tag has it; sections or a hash table do."""
    for section in elf.sections:
        if section.kind == elfs.DYNSYM:
            return section.size // 24
    classic = elf.first(elfs.DT_HASH)
    if classic is not None:
        return elf.unpack("<II", classic)[1]
    gnu = elf.first(elfs.DT_GNU_HASH)
    return 0 if gnu is None else _count_by_gnu_hash(elf, gnu)


def _count_by_gnu_hash(elf: ElfFile, table: int) -> int:
    """Return one more than the highest symbol at the end of a bucket's chain."""
    buckets, first, words, _ = elf.unpack("<IIII", table)
    start = table + 16 + 8 * words
    if buckets > len(elf.memory) // 4:
        raise ElfError("the hash table of symbols lies outside of the file")
    last = max(elf.unpack(f"<{buckets}I", start), default=0)
    if last < first:
        return first
    while not elf.unpack("<I", start + 4 * buckets + 4 * (last - first))[0] & 1:
        last += 1
    return last + 1


def _read_versions(elf: ElfFile, strings: int) -> dict[int, str]:
    """Map version numbers to names, of versions defined here and needed from others."""
    found: dict[int, str] = {}
    defined, needed = elf.first(elfs.DT_VERDEF), elf.first(elfs.DT_VERNEED)
    limit = 1 << 16  # as many as numbers: a longer chain is a cycle
    while defined is not None and limit:
        _, _, number, _, _, name, following = elf.unpack("<HHHHIII", defined)
        found[number & 0x7FFF] = elf.text(strings + elf.unpack("<I", defined + name)[0])
        defined, limit = (defined + following if following else None), limit - 1
    while needed is not None and limit:
        _, count, _, first, following = elf.unpack("<HHIII", needed)
        at = needed + first
        for _ in range(count):
            _, _, number, name, step = elf.unpack("<IHHII", at)
            found[number & 0x7FFF] = elf.text(strings + name)
            at, limit = at + step, limit - 1
            if not step or limit <= 0:
                break
        needed, limit = (needed + following if following else None), limit - 1
    return found
