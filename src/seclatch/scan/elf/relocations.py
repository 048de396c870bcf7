"""Relocations: where the loader writes which addresses."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from seclatch.scan.elf import elf_file as elfs
from seclatch.scan.elf.elf_file import AARCH64, X86_64, ElfError, ElfFile

ADDRESS, SYMBOL, IFUNC = 0, 1, 2

# Relocation type -> what is written (the processor supplements of the ELF specification): an
# address of this file (RELATIVE), of a symbol (64, GLOB_DAT, JUMP_SLOT, COPY), or the result of a
# function of this file (IRELATIVE).
_KINDS = {
    X86_64: {8: ADDRESS, 1: SYMBOL, 6: SYMBOL, 7: SYMBOL, 5: SYMBOL, 37: IFUNC},
    AARCH64: {1027: ADDRESS, 257: SYMBOL, 1025: SYMBOL, 1026: SYMBOL, 1024: SYMBOL, 1032: IFUNC},
}
_STUBS = {X86_64: 7, AARCH64: 1026}
_GOT = {X86_64: (6, 7), AARCH64: (1025, 1026)}
# Those of x86-64 in which the addend means nothing (GLOB_DAT, JUMP_SLOT, COPY; psABI, table 4.9):
# `ld -z mark-plt` puts the stub's address there.
_BARE = {X86_64: (5, 6, 7), AARCH64: ()}
_ROW = np.dtype("<u8,<u8,<i8")
_MOST = 1 << 24


class RelocatedPointer(NamedTuple):
    """What lies at `slot` once loaded.

    `value` is an address of this file (ADDRESS), a function that returns it (IFUNC), or the index
    of a dynamic symbol (SYMBOL), then with `addend`.
    """

    slot: int
    kind: int
    value: int
    addend: int = 0


@dataclass(slots=True)
class Relocations:
    """Pointers by slot, and which slots are the linker's own (GOT): objects of one word each.

    `stubs` are those of them that only linkage stubs read (JUMP_SLOT).
    """

    pointers: list[RelocatedPointer] = field(default_factory=list)
    got: list[int] = field(default_factory=list)
    stubs: set[int] = field(default_factory=set)


def read_relocations(elf: ElfFile) -> Relocations:
    """Read RELA tables, by sections and by dynamic tags, and RELR."""
    kinds, got, bare = _KINDS[elf.machine], _GOT[elf.machine], _BARE[elf.machine]
    found: set[RelocatedPointer] = set()
    rows = [row for table, size in _list_tables(elf) for row in _read_rows(elf, table, size)]
    types = [(slot, info & 0xFFFFFFFF) for slot, info, _ in rows]
    slots = {slot for slot, kind in types if kind in got or kinds.get(kind) == IFUNC}
    stubs = {slot for slot, kind in types if kind == _STUBS[elf.machine]}
    for slot, info, addend in rows:
        kind = kinds.get(info & 0xFFFFFFFF)
        if kind == SYMBOL:
            means = 0 if info & 0xFFFFFFFF in bare else addend
            found.add(RelocatedPointer(slot, kind, info >> 32, means))
        elif kind is not None:
            found.add(RelocatedPointer(slot, kind, addend))
    for slot in _read_relr(elf):
        if slot - elf.base + 8 <= len(elf.memory):
            found.add(RelocatedPointer(slot, ADDRESS, elf.unpack("<Q", slot)[0]))
    return Relocations(sorted(found), sorted(slots), stubs)


def _list_tables(elf: ElfFile) -> set[tuple[int, int]]:
    tables = {
        (section.address, section.size)
        for section in elf.sections
        if section.kind == elfs.RELA and section.flags & elfs.ALLOC
    }
    for tag, size in ((elfs.DT_RELA, elfs.DT_RELASZ), (elfs.DT_JMPREL, elfs.DT_PLTRELSZ)):
        address, length = elf.first(tag), elf.first(size)
        if address is not None and length is not None:
            tables.add((address, length))
    return tables


def _read_rows(elf: ElfFile, address: int, size: int) -> list[tuple[int, int, int]]:
    start = address - elf.base
    if start < 0 or start + size > len(elf.memory):
        raise ElfError("a relocation table lies outside of the file")
    rows: list[tuple[int, int, int]] = np.frombuffer(elf.memory, _ROW, size // 24, start).tolist()
    return rows


def _read_relr(elf: ElfFile) -> list[int]:
    """Return the slots of DT_RELR: addresses, each followed by bitmaps of 63 words (glibc 2.36)."""
    table, size = elf.first(elfs.DT_RELR), elf.first(elfs.DT_RELRSZ)
    if table is None or size is None:
        return []
    if size > len(elf.memory):
        raise ElfError("the table of relative relocations is larger than the file")
    slots: list[int] = []
    following = 0
    for word in struct.unpack(f"<{size // 8}Q", _read_bytes(elf, table, size // 8 * 8)):
        if not word & 1:
            slots.append(word)
            following = word + 8
            continue
        slots += [following + 8 * bit for bit in range(63) if word >> (bit + 1) & 1]
        following += 63 * 8
        if len(slots) > _MOST:
            raise ElfError("more relative relocations than any program has")
    return slots


def _read_bytes(elf: ElfFile, address: int, size: int) -> bytes:
    start = address - elf.base
    if start < 0 or start + size > len(elf.memory):
        raise ElfError("a table lies outside of the file")
    return elf.memory[start : start + size]
