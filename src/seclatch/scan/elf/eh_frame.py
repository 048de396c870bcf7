"""Starts and ends of functions by the unwinder's tables (.eh_frame).

Nearly every binary has them, stripped or not: C++ exceptions, backtraces and pthread_cancel need
them. LSB Core, "Exception Frames".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np

from seclatch.scan.elf.elf_file import ElfFile, ElfSection

Range = tuple[int, int]

LandingPad = tuple[int, int, int]
"""A range of calls, and where their exceptions lead."""

_OMITTED, _ULEB, _UDATA4 = 0xFF, 0x01, 0x03
_USUAL_LETTERS = ("zPLR", "zRL", "zLR", "zPLRS")

# .eh_frame_hdr as every linker writes it: version 1, pointer to .eh_frame pcrel|sdata4, count
# udata4, table datarel|sdata4.
_USUAL = b"\x01\x1b\x03\x3b"


def find_framed_functions(elf: ElfFile) -> list[Range]:
    """Return the ranges [start, end) of the frame descriptions, sorted; none without tables."""
    found = _read_by_index(elf) or _read_by_walk(elf)
    return sorted({(a, b) for a, b in found if a < b and elf.is_code(a)})


def find_exception_handlers(elf: ElfFile) -> dict[int, int]:
    """Return the functions into whose middle exceptions may lead, with the address of their table.

    Their frames have a language's own data (`L` in the augmentation of their CIE), which compilers
    write as pcrel|sdata4; 0 stands for a table that is written otherwise.
    """
    section = elf.section(".eh_frame")
    found: dict[int, int] = {}
    if section is None or elf.section(".gcc_except_table") is None:
        return found
    common: dict[int, str] = {}
    for at, cie, first, _ in _walk_frames(elf, section):
        if cie not in common:
            start = cie + 9  # after length, CIE_id and version
            common[cie] = elf.memory[start : start + 8].split(b"\0")[0].decode("latin-1")
        if "L" in common[cie]:
            found[first] = _read_table_address(elf, at) if common[cie] in _USUAL_LETTERS else 0
    return found


def _read_table_address(elf: ElfFile, frame: int) -> int:
    """Return where the table of a frame lies; 0 if it has none, or another encoding."""
    length, at = _read_uleb(elf.memory, frame + 16)
    if length != 4:
        return 0
    by = int(struct.unpack_from("<i", elf.memory, at)[0])
    table = elf.section(".gcc_except_table")
    address = at + by + elf.base
    return address if by and table and table.address <= address < table.end else 0


def read_landing_pads(elf: ElfFile, start: int, table: int) -> list[LandingPad] | None:
    """Return the landing pads in the exception table of a function; None if it cannot be read.

    The table is GCC's, which LLVM writes too (Itanium C++ ABI, "exception handling tables"): base
    of the pads, types, and the call sites.
    """
    at, found = table - elf.base, list[LandingPad]()
    try:
        base, types = elf.memory[at], elf.memory[at + 1]
        at += 2
        if types != _OMITTED:
            at = _read_uleb(elf.memory, at)[1]
        encoding = elf.memory[at]
        if base != _OMITTED or encoding not in (_ULEB, _UDATA4):
            return None
        size, at = _read_uleb(elf.memory, at + 1)
        stop = at + size
        while at < stop:
            row: list[int] = []
            for _ in range(3):
                value, at = _read_number(elf.memory, at, encoding)
                row.append(value)
            _, at = _read_uleb(elf.memory, at)
            if row[2]:
                found.append((start + row[0], start + row[0] + row[1], start + row[2]))
    except (IndexError, struct.error):
        return None
    return found


def _read_number(memory: bytes, at: int, encoding: int) -> tuple[int, int]:
    if encoding == _UDATA4:
        return int(struct.unpack_from("<I", memory, at)[0]), at + 4
    return _read_uleb(memory, at)


def _read_uleb(memory: bytes, at: int) -> tuple[int, int]:
    """Return a number of seven bits a byte, and where it ends."""
    value = shift = 0
    while True:
        byte = memory[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return value, at


def _read_by_index(elf: ElfFile) -> list[Range]:
    header = elf.section(".eh_frame_hdr")
    if header is None or header.size < 12:
        return []
    start = header.address - elf.base
    if elf.memory[start : start + 4] != _USUAL:
        return []
    count = struct.unpack_from("<I", elf.memory, start + 8)[0]
    if start < 0 or start + 12 + 8 * count > len(elf.memory):
        return []
    rows = np.frombuffer(elf.memory, "<i4", 2 * count, start + 12).reshape(-1, 2)
    table = rows.astype(np.int64) + header.address
    frames = table[:, 1] - elf.base
    if not len(frames) or frames.min() < 0 or frames.max() + 16 > len(elf.memory):
        return []
    octets = np.frombuffer(elf.memory, np.uint8)[frames[:, None] + np.arange(12, 16)]
    lengths = octets.copy().view("<u4").ravel().astype(np.int64)
    return list(zip(table[:, 0].tolist(), (table[:, 0] + lengths).tolist(), strict=True))


def _read_by_walk(elf: ElfFile) -> list[Range]:
    """Read frame by frame, for static programs without an index. Assumes pcrel|sdata4 pointers."""
    section = elf.section(".eh_frame")
    rows = [] if section is None else _walk_frames(elf, section)
    return [(first, first + size) for _, _, first, size in rows]


def _walk_frames(elf: ElfFile, section: ElfSection) -> Iterator[tuple[int, int, int, int]]:
    """Yield (offset of the frame, of its CIE, first address, size)."""
    at = section.address - elf.base
    stop = min(at + section.size, len(elf.memory) - 16)
    while 0 <= at <= stop:
        length, cie = struct.unpack_from("<II", elf.memory, at)
        if not length or length >= 0xFFFFFFF0:
            break
        if cie:
            offset, size = struct.unpack_from("<iI", elf.memory, at + 8)
            yield at, at + 4 - cie, offset + at + 8 + elf.base, size
        at += 4 + length
