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

# .eh_frame_hdr as every linker writes it: version 1, pointer to .eh_frame pcrel|sdata4, count
# udata4, table datarel|sdata4.
_USUAL = b"\x01\x1b\x03\x3b"


def find_framed_functions(elf: ElfFile) -> list[Range]:
    """Return the ranges [start, end) of the frame descriptions, sorted; none without tables."""
    found = _read_by_index(elf) or _read_by_walk(elf)
    return sorted({(a, b) for a, b in found if a < b and elf.is_code(a)})


def find_exception_handlers(elf: ElfFile) -> set[int]:
    """Return the functions into whose middle exceptions may lead.

    Their frames have a language's own data (`L` in the augmentation of their CIE).
    """
    section = elf.section(".eh_frame")
    found: set[int] = set()
    if section is None or elf.section(".gcc_except_table") is None:
        return found
    common: dict[int, bool] = {}
    for _, cie, first, _ in _walk_frames(elf, section):
        if cie not in common:
            start = cie + 9  # after length, CIE_id and version
            common[cie] = b"L" in elf.memory[start : start + 8].split(b"\0")[0]
        if common[cie]:
            found.add(first)
    return found


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
