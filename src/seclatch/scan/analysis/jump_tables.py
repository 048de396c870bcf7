"""Tables of offsets in read-only data, whose targets may be named nowhere else.

Switch tables: a compiler moves unlikely cases into a function's `.cold` part, which then only the
table names: 32-bit offsets from the table's own address, or whole addresses in position dependent
code. LLVM makes such tables of pointers, too (RelLookupTableConverter).
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections import defaultdict
from functools import cache

import numpy as np

from seclatch.scan.analysis.code_sweep import CodeSweep
from seclatch.scan.elf import elf_file as elfs
from seclatch.scan.elf.elf_file import ElfFile

_LONGEST = 1 << 16


def find_table_edges(
    elf: ElfFile, owners: np.ndarray, targets: np.ndarray, bounds: np.ndarray, starts: np.ndarray
) -> list[tuple[int, int]]:
    """Return (function, address) for tables that lead from one function into another.

    `owners[i]` is the function that references `targets[i]`.
    """
    filled = elf.base + len(elf.memory) - 16
    tables = np.unique(targets)
    tables = tables[(tables > elf.base) & (tables + 8 < filled) & (tables % 4 == 0)]
    if not len(tables):
        return []
    users = defaultdict(set)
    for owner, target in zip(owners.tolist(), targets.tolist(), strict=True):
        users[target].add(owner)
    limits = bounds.tolist()
    found = []
    for table in tables[_is_table(elf, tables)].tolist():
        index = bisect_right(limits, table)
        stop = min(limits[index] if index < len(limits) else filled, filled)
        reached = np.unique(read_table_entries(elf, table, stop))
        inside = np.searchsorted(starts, reached, "right") - 1
        rows = zip(reached.tolist(), inside.tolist(), strict=True)
        found += [(user, to) for to, own in rows for user in users[table] if user != own]
    return found


def _is_table(elf: ElfFile, tables: np.ndarray) -> np.ndarray:
    """Return whether the first entry leads into code."""
    octets = np.frombuffer(elf.memory, np.uint8)[(tables - elf.base)[:, None] + np.arange(8)].copy()
    first, second = (octets[:, i : i + 4].copy().view("<i4").ravel() for i in (0, 4))
    # An offset of 0 stands for none.
    found = _in_code(elf, tables + np.where(first == 0, second, first))
    if elf.position_dependent:
        found |= _in_code(elf, octets.view("<i8").ravel())
    return found


def _in_code(elf: ElfFile, addresses: np.ndarray) -> np.ndarray:
    inside = np.zeros(len(addresses), bool)
    for low, high in elf.code:
        inside |= (addresses >= low) & (addresses < high)
    return inside


def read_table_entries(elf: ElfFile, table: int, stop: int) -> np.ndarray:
    """Return the code addresses in a table, up to the first entry that is none."""
    count = max(0, min((stop - table) // 4, _LONGEST))
    found = np.frombuffer(elf.memory, "<i4", count, table - elf.base).astype(np.int64) + table
    relative = _take_leading(_in_code(elf, found), found, table)
    if not elf.position_dependent or len(relative):
        return relative
    found = np.frombuffer(elf.memory, "<i8", count // 2, table - elf.base)
    return _take_leading(_in_code(elf, found), found, table)


def _take_leading(good: np.ndarray, addresses: np.ndarray, table: int) -> np.ndarray:
    """Return the addresses up to the first bad one; an offset of 0 is none and ends nothing."""
    good = good | (addresses == table)
    kept: np.ndarray = addresses if good.all() else addresses[: int(np.argmin(good))]
    return np.asarray(kept[kept != table])


def find_table_pointers(elf: ElfFile, sweep: CodeSweep) -> list[tuple[int, int]]:
    """Return (instruction, address) for data to which tables lead whose address code takes.

    As if the code itself took those addresses. Only what may hold pointers counts: data that is
    written, by the linker or later. A table of numbers that seem to lead there, too, is very rare.
    """
    held = [
        (section.address, section.end)
        for section in elf.sections
        if section.flags & elfs.WRITE
        and section.flags & elfs.ALLOC
        and section.kind != elfs.NOBITS
        and not section.flags & elfs.TLS
    ]
    other = elfs.WRITE | elfs.EXECINSTR
    plain = [
        (section.address, section.end)
        for section in elf.sections
        if section.flags & elfs.ALLOC and not section.flags & other
    ]
    led = cache(lambda table: _find_table_targets(elf, table, plain, held))
    taken = [(at, to) for at, to in sweep.references if to % 4 == 0 and at in sweep.taken]
    return [(at, target) for at, to in (taken if held else ()) for target in led(to)]


def _read_first_offset(elf: ElfFile, table: int) -> int:
    """Return the first offset that is not 0."""
    pair: tuple[int, int] = struct.unpack_from("<ii", elf.memory, table - elf.base)
    return pair[0] or pair[1]


def _find_table_targets(
    elf: ElfFile, table: int, plain: list[tuple[int, int]], held: list[tuple[int, int]]
) -> list[int]:
    """Return the data to which one table leads, if it is one."""
    stop = next((high for low, high in plain if low <= table < high - 8), 0)
    if not stop or not any(
        low <= table + _read_first_offset(elf, table) < high for low, high in held
    ):
        return []
    count = min((stop - table) // 4, _LONGEST)
    places = np.frombuffer(elf.memory, "<i4", count, table - elf.base).astype(np.int64) + table
    good = np.zeros(len(places), bool)
    for low, high in held:
        good |= (places >= low) & (places < high)
    found: list[int] = np.unique(_take_leading(good, places, table)).tolist()
    return found
