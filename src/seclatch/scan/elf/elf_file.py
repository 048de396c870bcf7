"""An ELF file as the loader maps it: segments, sections, the dynamic section, the memory image.

Written here and not taken from a library because whole programs are read in milliseconds this way
(tables by numpy); elf(5) has the layouts. Every size is checked against the file's, and whatever
does not fit raises ElfError: the file may be hostile.
"""

from __future__ import annotations

import hashlib
import struct
from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise

X86_64, AARCH64 = 62, 183

_LARGEST = 1 << 30
"""Bytes of address space that a file may fill: more than any program known (Chromium: 230 MB)."""

_BETWEEN = 1 << 26
"""Bytes between segments beyond the file's own size: linkers align them to 2 MB at most.

A file of a few kilobytes must not cost gigabytes.
"""

_SEGMENTS, _SECTIONS, _NAME = 1 << 16, 4096, 256
"""Bytes of program headers (as the kernel accepts), sections, and bytes of a section's name."""

_PACKED, _PACKED_WITHIN = b"UPX!", 1024
"""The mark that UPX's loader looks for, right behind the headers."""

_LOAD, _DYNAMIC, _INTERP, _TLS = 1, 2, 3, 7
_EXECUTE, _WRITABLE = 1, 2

# Section types and flags (elf(5)).
SYMTAB, STRTAB, RELA, HASH, DYNAMIC, NOTE, NOBITS, DYNSYM = 2, 3, 4, 5, 6, 7, 8, 11
WRITE, ALLOC, EXECINSTR, TLS = 1, 2, 4, 0x400

# Dynamic tags.
DT_NEEDED, DT_PLTRELSZ, DT_HASH, DT_STRTAB, DT_SYMTAB, DT_RELA, DT_RELASZ = 1, 2, 4, 5, 6, 7, 8
DT_INIT, DT_FINI, DT_SONAME, DT_RPATH, DT_JMPREL = 12, 13, 14, 15, 23
DT_INIT_ARRAY, DT_FINI_ARRAY, DT_INIT_ARRAYSZ, DT_FINI_ARRAYSZ, DT_RUNPATH = 25, 26, 27, 28, 29
DT_PREINIT_ARRAY, DT_PREINIT_ARRAYSZ, DT_RELRSZ, DT_RELR = 32, 33, 35, 36
DT_DEPAUDIT, DT_AUDIT = 0x6FFFFEFB, 0x6FFFFEFC
DT_GNU_HASH, DT_VERSYM, DT_VERDEF, DT_VERNEED = 0x6FFFFEF5, 0x6FFFFFF0, 0x6FFFFFFC, 0x6FFFFFFE


class ElfError(Exception):
    """The file is no ELF file of a kind that is analysed; the text says why."""


@dataclass(frozen=True, slots=True)
class ElfSection:
    """One row of the section table; `address` is 0 for a section that is not in memory.

    `entry` is the size of its entries, if they have one.
    """

    name: str
    kind: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    entry: int = 0

    @property
    def end(self) -> int:
        """Return the address behind its last byte."""
        return self.address + self.size


@dataclass(slots=True)
class ElfFile:
    """`memory[a - base]` is the byte at address a; `end` is behind the last address of all.

    `end` may lie beyond memory (zero-initialised data). `code` are the executable ranges,
    `constant` those that are mapped read-only; `threads` is the initial image of thread-local
    storage (PT_TLS).
    """

    data: bytes
    machine: int
    position_dependent: bool
    entry: int
    base: int = 0
    end: int = 0
    memory: bytes = b""
    sections: list[ElfSection] = field(default_factory=list)
    code: list[tuple[int, int]] = field(default_factory=list)
    constant: list[tuple[int, int]] = field(default_factory=list)
    dynamic: dict[int, list[int]] = field(default_factory=dict)
    interpreter: str = ""
    threads: tuple[int, int] = (0, 0)

    def is_code(self, address: int) -> bool:
        """Return whether the address is in an executable range."""
        index = bisect_right(self.code, (address, 1 << 64)) - 1
        return index >= 0 and address < self.code[index][1]

    def text(self, address: int, limit: int = 4096) -> str:
        """Return the string at an address. Raises ElfError where none ends within `limit` bytes."""
        start = address - self.base
        if not 0 <= start < len(self.memory):
            raise ElfError(f"a string lies outside of the file (address {address:#x})")
        stop = self.memory.find(b"\0", start, start + limit)
        if stop < 0:
            raise ElfError(f"a string has no end (address {address:#x})")
        return self.memory[start:stop].decode("utf-8", "backslashreplace")

    def first(self, tag: int) -> int | None:
        """Return the first value of a dynamic tag."""
        values = self.dynamic.get(tag)
        return values[0] if values else None

    def strings(self, tag: int) -> list[str]:
        """Return the strings of a dynamic tag that names them (DT_NEEDED …)."""
        table = self.first(DT_STRTAB)
        if table is None:
            return []
        return [self.text(table + value) for value in self.dynamic.get(tag, [])]

    def section(self, name: str) -> ElfSection | None:
        """Find a section by name."""
        return next((section for section in self.sections if section.name == name), None)

    def contents(self, section: ElfSection) -> bytes:
        """Return the bytes of a section in the file."""
        return self.data[section.offset : section.offset + section.size]

    def unpack(self, form: str, address: int) -> tuple[int, ...]:
        """Call struct.unpack at an address. Raises ElfError outside of the file."""
        try:
            if address < self.base:
                raise ElfError(f"address {address:#x} lies before the first segment")
            return struct.unpack_from(form, self.memory, address - self.base)
        except struct.error:
            raise ElfError(f"address {address:#x} lies outside of the file") from None

    @property
    def identity(self) -> str:
        """Return a hash of the contents, for use as a cache key.

        Not the build-id: the author of a hostile file chooses that freely.
        """
        return hashlib.sha256(self.data).hexdigest()


def parse_elf(data: bytes) -> ElfFile:
    """Parse the headers. ElfError says what is wrong, or of which kind the file is."""
    kind, machine = _read_kind(data)
    elf = ElfFile(data, machine, kind == 2, *struct.unpack_from("<Q", data, 24))
    segments = _read_segments(data)
    _map_segments(elf, segments)
    elf.sections = _read_sections(data)
    elf.code = _find_code(elf, segments)
    elf.constant = [
        (segment[3], segment[3] + segment[5])
        for segment in segments
        if segment[0] == _LOAD and not segment[1] & _WRITABLE
    ]
    elf.dynamic = _read_dynamic(data, segments)
    for segment in segments:
        if segment[0] == _INTERP and not elf.interpreter:  # the kernel takes the first
            text = data[segment[2] : segment[2] + min(segment[5], 4096)]
            elf.interpreter = text.split(b"\0")[0].decode("utf-8", "backslashreplace")
        elif segment[0] == _TLS:
            elf.threads = segment[3], segment[3] + segment[5]
    return elf


def _read_kind(data: bytes) -> tuple[int, int]:
    """Return type and machine of a file that can be analysed."""
    if data[:4] != b"\x7fELF":
        raise ElfError("no ELF file")
    if len(data) < 64:
        raise ElfError("the ELF header is cut short")
    if data[4] != 2 or data[5] != 1:
        raise ElfError("not 64-bit little endian: only x86-64 and aarch64 are analysed")
    kind, machine = struct.unpack_from("<HH", data, 16)
    if machine not in (X86_64, AARCH64):
        raise ElfError(f"ELF machine {machine}: only x86-64 and aarch64 are analysed")
    if kind not in (2, 3):
        raise ElfError("neither a program nor a shared library")
    if _PACKED in data[:_PACKED_WITHIN]:
        raise ElfError("packed by UPX: its code is in no form to be read; unpack it (upx -d)")
    return kind, machine


# type, flags, offset, virtual address, physical address, size in file, size in memory, alignment
Segment = tuple[int, int, int, int, int, int, int, int]


def _read_segments(data: bytes) -> list[Segment]:
    offset = struct.unpack_from("<Q", data, 32)[0]
    size, count = struct.unpack_from("<HH", data, 54)
    if size != 56 or offset + size * count > len(data):
        raise ElfError("the program headers lie outside of the file")
    if size * count > _SEGMENTS:
        raise ElfError("more program headers than a kernel takes")
    return [struct.unpack_from("<IIQQQQQQ", data, offset + size * i) for i in range(count)]


def _map_segments(elf: ElfFile, segments: list[Segment]) -> None:
    """Lay the segments out as the loader does."""
    loads = [segment for segment in segments if segment[0] == _LOAD]
    if not loads:
        raise ElfError("nothing to load: no PT_LOAD segment")
    for _, _, offset, address, _, in_file, in_memory, _ in loads:
        if (in_file and offset + in_file > len(elf.data)) or in_file > in_memory:
            raise ElfError("a segment is larger than the file")
        if address + in_memory >= 1 << 63:
            raise ElfError("a segment lies beyond the address space")
    elf.base = min(load[3] for load in loads) & ~0xFFF
    elf.end = max(load[3] + load[6] for load in loads)
    filled = max(load[3] + load[5] for load in loads)
    if filled - elf.base > min(_LARGEST, 2 * len(elf.data) + _BETWEEN):
        raise ElfError(f"segments span {filled - elf.base} bytes: more than any program does")
    if sum(load[5] for load in loads) > 2 * len(elf.data) + _BETWEEN:
        raise ElfError("its segments are larger than the file many times over")
    memory = bytearray(filled - elf.base + 16)
    for load in loads:
        start = load[3] - elf.base
        memory[start : start + load[5]] = elf.data[load[2] : load[2] + load[5]]
    elf.memory = bytes(memory)


def _read_sections(data: bytes) -> list[ElfSection]:
    """Return the section table; empty if it is missing or invalid: it is not needed to run."""
    offset = struct.unpack_from("<Q", data, 40)[0]
    size, count, names = struct.unpack_from("<HHH", data, 58)
    if not offset or size != 64 or names >= count or offset + size * count > len(data):
        return []
    if count > _SECTIONS:
        return []
    rows = [struct.unpack_from("<IIQQQQIIQQ", data, offset + size * i) for i in range(count)]
    if sum(row[5] for row in rows if row[1] != NOBITS and row[5] <= len(data)) > 2 * len(data):
        return []  # they overlap: a small file must not be read a thousand times
    table = data[rows[names][4] : rows[names][4] + rows[names][5]]
    return [
        ElfSection(
            _read_name(table, row[0]), row[1], row[2], row[3], row[4], row[5], row[6], row[9]
        )
        for row in rows
        if row[1] == NOBITS or row[4] + row[5] <= len(data)
    ]


def _read_name(table: bytes, start: int) -> str:
    return table[start : start + _NAME].split(b"\0", 1)[0].decode("latin1")


def _find_code(elf: ElfFile, segments: list[Segment]) -> list[tuple[int, int]]:
    """Return executable ranges: by sections, which exclude read-only data, else by segments.

    Sections count only where they cover each executable segment from beginning to end except for
    padding: a table that hides code would hide system calls.
    """
    loaded = [
        (segment[3], segment[3] + segment[5])
        for segment in segments
        if segment[0] == _LOAD and segment[1] & _EXECUTE
    ]
    named = sorted(
        (section.address, section.end)
        for section in elf.sections
        if section.flags & EXECINSTR
        and section.flags & ALLOC
        and section.size
        and section.kind != NOBITS
    )
    inside = all(any(low <= a and b <= high for low, high in loaded) for a, b in named)
    disjoint = all(a[1] <= b[0] for a, b in pairwise(named))
    if named and inside and disjoint and _is_covered(elf, loaded, named):
        return named
    return sorted(loaded)


def _is_covered(elf: ElfFile, loaded: list[tuple[int, int]], named: list[tuple[int, int]]) -> bool:
    """Return whether bytes outside of executable sections are known to hold no code.

    They are in other sections (headers and read-only data of linkers that make one segment of all),
    or padding shorter than a page.
    """
    known = named + [
        (section.address, section.end)
        for section in elf.sections
        if section.flags & ALLOC and section.size
    ]
    known.sort()
    for low, high in loaded:
        at = low
        for a, b in known:
            if a > at + 0x1000 and at < high and a > low:
                return False
            if b > at and a < high:
                at = max(at, b)
        if high - at > 0x1000:
            return False
    return True


def _read_dynamic(data: bytes, segments: list[Segment]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = defaultdict(list)
    for segment in segments:
        if segment[0] != _DYNAMIC:
            continue
        found.clear()  # the loader takes the last
        table = data[segment[2] : segment[2] + segment[5]]
        for tag, value in struct.iter_unpack("<QQ", table[: len(table) & ~15]):
            if not tag:
                break
            found[tag].append(value)
    return dict(found)
