"""Go's own table of functions (pclntab): in every Go program, stripped or not."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

import numpy as np

from seclatch.scan.elf.elf_file import ElfFile
from seclatch.scan.elf.relocations import ADDRESS, Relocations

# Go 1.18 and 1.20: the layouts in which function starts are 32-bit offsets from the text.
_MAGIC = (b"\xf0\xff\xff\xff", b"\xf1\xff\xff\xff")
# With the size of the smallest instruction and of a pointer.
_BEGIN = re.compile(rb"[\xf0\xf1]\xff\xff\xff\0\0[\x01\x04]\x08", re.DOTALL)


@dataclass(frozen=True, slots=True)
class GoFunctionTable:
    """Where the table begins in memory, where it ends at most, and where the text begins.

    `names` is where the names begin, `table` where the rows do: the function's offset in the text,
    and the place of its description after `table`.
    """

    begin: int
    end: int
    text: int
    names: int
    table: int
    count: int

    def rows(self, elf: ElfFile) -> np.ndarray:
        """Return (offset in the text, place of the description) of each function."""
        return np.frombuffer(elf.memory, "<u4", 2 * self.count, self.table).reshape(-1, 2)


def find_go_functions(elf: ElfFile, relocations: Relocations) -> list[int]:
    """Return the addresses of all Go functions; none if it is no Go program."""
    found = _find_table(elf, relocations)
    if found is None:
        return []
    starts = (found.rows(elf)[:, 0].astype(np.int64) + found.text).tolist()
    return [address for address in starts if elf.is_code(address)]


def find_named_functions(
    elf: ElfFile, relocations: Relocations, names: frozenset[str]
) -> dict[str, int]:
    """Return the addresses of the Go functions with these names, as far as there are any."""
    found = _find_table(elf, relocations)
    if found is None:
        return {}
    places = {
        elf.memory.find(b"\0" + name.encode() + b"\0", found.names, found.end)
        + 1
        - found.names: name
        for name in names
    }
    addresses: dict[str, int] = {}
    for offset, described in found.rows(elf).tolist():
        at = found.table + described + 4  # after the function's own offset
        if at + 4 <= found.end:
            name = places.get(struct.unpack_from("<I", elf.memory, at)[0])
            if name is not None:
                addresses[name] = found.text + offset
    return addresses


def _find_table(elf: ElfFile, relocations: Relocations) -> GoFunctionTable | None:
    section = next((each for each in elf.sections if each.name.endswith(".gopclntab")), None)
    if section is not None:
        begin = section.address - elf.base
        return _read_table(elf, relocations, begin, begin + section.size) if begin >= 0 else None
    if not is_go(elf):
        return None
    # A linker other than Go's joins it with other read-only data.
    for match in _BEGIN.finditer(elf.memory):
        found = _read_table(elf, relocations, match.start(), len(elf.memory))
        if found is not None and elf.is_code(found.text):
            return found
    return None


def _read_table(
    elf: ElfFile, relocations: Relocations, begin: int, end: int
) -> GoFunctionTable | None:
    if elf.memory[begin : begin + 4] not in _MAGIC or begin + 72 > len(elf.memory):
        return None
    count, _, text, names, *_, table = struct.unpack_from("<QQQQQQQQ", elf.memory, begin + 8)
    end = min(end, len(elf.memory))
    if count > end - begin or begin + table + 8 * count > end or begin + names >= end:
        return None
    # In a position independent program the loader writes the start of the text.
    at = elf.base + begin + 24
    written = {p.slot: p.value for p in relocations.pointers if p.kind == ADDRESS and p.slot == at}
    base = written.get(at, text) or _text(elf)
    return GoFunctionTable(begin, end, base, begin + names, begin + table, count)


def _text(elf: ElfFile) -> int:
    section = elf.section(".text")
    return section.address if section else elf.base


def is_go(elf: ElfFile) -> bool:
    """Return whether a program was linked by Go's linker, wholly or with C (cgo)."""
    return any(section.name.endswith((".gopclntab", ".go.buildinfo")) for section in elf.sections)
