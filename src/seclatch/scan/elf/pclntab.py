"""Go's own table of functions (pclntab): in every Go program, stripped or not."""

from __future__ import annotations

import struct

import numpy as np

from seclatch.scan.elf.elf_file import ElfFile
from seclatch.scan.elf.relocations import ADDRESS, Relocations

# Go 1.18 and 1.20: the layouts in which function starts are 32-bit offsets from the text.
_MAGIC = (b"\xf0\xff\xff\xff", b"\xf1\xff\xff\xff")


def find_go_functions(elf: ElfFile, relocations: Relocations) -> list[int]:
    """Return the addresses of all Go functions; none if it is no Go program."""
    section = next(
        (candidate for candidate in elf.sections if candidate.name.endswith(".gopclntab")), None
    )
    if section is None:
        return []
    start = section.address - elf.base
    if start < 0 or elf.memory[start : start + 4] not in _MAGIC or start + 72 > len(elf.memory):
        return []
    count, _, text, *_, table = struct.unpack_from("<QQQQQQQQ", elf.memory, start + 8)
    if count > section.size or start + table + 8 * count > len(elf.memory):
        return []
    rows = np.frombuffer(elf.memory, "<u4", 2 * count, start + table).reshape(-1, 2)
    # In a position independent program the loader writes the start of the text (at byte 24).
    written = {p.slot: p.value for p in relocations.pointers if p.kind == ADDRESS}
    base = written.get(section.address + 24, text) or _text(elf)
    return [
        address for address in (rows[:, 0].astype(np.int64) + base).tolist() if elf.is_code(address)
    ]


def _text(elf: ElfFile) -> int:
    section = elf.section(".text")
    return section.address if section else elf.base


def is_go(elf: ElfFile) -> bool:
    """Return whether a program was linked by Go's linker, wholly or with C (cgo)."""
    return any(section.name.endswith((".gopclntab", ".go.buildinfo")) for section in elf.sections)
