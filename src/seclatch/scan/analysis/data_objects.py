"""Divide data into objects, to decide which pointers a reference to data can reach.

A function pointer counts only if the object that holds it is referenced by reached code: this makes
the result tight. An object is delimited by a symbol, or is a word of the linker's own, or lies
between two addresses that code takes. Boundaries never lie inside an object of known size. Where
code reads the middle of something (rip-relative), no boundary is set: fields of a structure are
read so. Nor where data points to: links of lists lie within their members.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass

import numpy as np

from seclatch.scan.analysis.code_sweep import CodeSweep
from seclatch.scan.analysis.functions import find_address_words
from seclatch.scan.elf import elf_file as elfs
from seclatch.scan.elf.elf_file import ElfFile
from seclatch.scan.elf.relocations import ADDRESS, RelocatedPointer, Relocations
from seclatch.scan.elf.symbols import SymbolTables

_SET = re.compile(r"[A-Za-z_]\w*")


@dataclass(slots=True)
class DataObjects:
    """`bounds[i]` is where object i begins; its pointers are `pointers[first[i]:first[i + 1]]`."""

    bounds: np.ndarray
    pointers: list[RelocatedPointer]
    first: list[int]


def divide_objects(
    elf: ElfFile,
    symbols: SymbolTables,
    relocations: Relocations,
    sweep: CodeSweep,
    starts: list[int],
) -> DataObjects:
    """Divide the file's address space into objects and sort the pointers into them."""
    pointers = relocations.pointers
    if elf.position_dependent:
        pointers = sorted([*pointers, *_bare_pointers(elf, pointers, starts)])
    bounds = np.array(sorted(_find_bounds(elf, symbols, relocations, sweep)), np.int64)
    slots = np.array([pointer.slot for pointer in pointers], np.int64)
    first = [*np.searchsorted(slots, bounds).tolist(), len(pointers)]
    return DataObjects(bounds, pointers, first)


def _bare_pointers(
    elf: ElfFile, known: list[RelocatedPointer], starts: list[int]
) -> list[RelocatedPointer]:
    """Return aligned words that are addresses, in files without relocations for them.

    Of code only starts of functions: others are numbers that happen to be in the range.
    """
    taken = {pointer.slot for pointer in known}
    functions = set(starts)
    slots, values = find_address_words(elf)
    return [
        RelocatedPointer(slot, ADDRESS, value)
        for slot, value in zip(slots.tolist(), values.tolist(), strict=True)
        if slot not in taken and (not elf.is_code(value) or value in functions)
    ]


def _find_bounds(
    elf: ElfFile, symbols: SymbolTables, relocations: Relocations, sweep: CodeSweep
) -> set[int]:
    hard = {edge for slot in relocations.got for edge in (slot, slot + 8)}
    hard |= {edge for word in _select_table_words(elf, relocations.pointers) for edge in word}
    sized = sorted((start, start + size) for start, size in symbols.objects if size)
    hard |= {edge for symbol in sized for edge in symbol}
    bounds = set(hard) | {elf.base, *elf.threads} | {start for start, _ in symbols.objects}
    bounds |= {to for at, to in sweep.references if at in sweep.taken}
    for section in elf.sections:
        # .tbss takes no room: what follows lies at the same addresses.
        if section.flags & elfs.ALLOC and not section.flags & elfs.TLS:
            bounds |= {section.address, section.end}
    bounds = _join_sets(elf, bounds)
    hard &= bounds
    large = [symbol for symbol in sized if symbol[1] - symbol[0] > 8]
    lows = [low for low, _ in large]
    return {
        bound
        for bound in bounds
        if elf.base <= bound <= elf.end and (bound in hard or not _is_inside(bound, large, lows))
    }


def list_table_words(elf: ElfFile, divided: DataObjects) -> list[RelocatedPointer]:
    """Return the words of the global offset table that point to the file's own code or data."""
    words = {slot for slot, _ in _select_table_words(elf, divided.pointers)}
    return [pointer for pointer in divided.pointers if pointer.slot in words]


def _select_table_words(elf: ElfFile, pointers: list[RelocatedPointer]) -> list[tuple[int, int]]:
    """Return where these words begin and end: each is used alone."""
    section = elf.section(".got")
    if section is None:
        return []
    low, high = section.address, section.end
    return [
        (pointer.slot, pointer.slot + 8)
        for pointer in pointers
        if pointer.kind == ADDRESS and low <= pointer.slot < high
    ]


def _join_sets(elf: ElfFile, bounds: set[int]) -> set[int]:
    """Remove the boundaries within a section named as a C identifier.

    Code walks it from __start_NAME to __stop_NAME (ld(1)). glibc's own, until 2.36, is only
    compared.
    """
    sets = [
        (section.address, section.end)
        for section in elf.sections
        if section.flags & elfs.ALLOC
        and _SET.fullmatch(section.name)
        and section.name != "__libc_IO_vtables"
    ]
    return {bound for bound in bounds if not any(low < bound < high for low, high in sets)}


def _is_inside(address: int, objects: list[tuple[int, int]], lows: list[int]) -> bool:
    index = bisect_left(lows, address) - 1
    return index >= 0 and address < objects[index][1]
