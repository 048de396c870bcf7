"""Switch tables in read-only data whose targets lie in other functions.

A compiler moves unlikely cases into a function's `.cold` part, which then only the table names:
32-bit offsets from the table's own address, or whole addresses where code depends on its position.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict

import numpy as np

from seclatch.scan.elf import Elf

_LONGEST = 1 << 16


def edges(
    elf: Elf, owners: np.ndarray, targets: np.ndarray, bounds: np.ndarray, starts: np.ndarray
) -> list[tuple[int, int]]:
    """(function, address) by tables that lead from one function into another; `owners[i]` is the
    function that references `targets[i]`."""
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
        reached = np.unique(entries(elf, table, stop))
        inside = np.searchsorted(starts, reached, "right") - 1
        rows = zip(reached.tolist(), inside.tolist(), strict=True)
        found += [(user, to) for to, own in rows for user in users[table] if user != own]
    return found


def _is_table(elf: Elf, tables: np.ndarray) -> np.ndarray:
    """Whether the first entry leads into code."""
    octets = np.frombuffer(elf.memory, np.uint8)[(tables - elf.base)[:, None] + np.arange(8)].copy()
    found = _in_code(elf, tables + octets[:, :4].copy().view("<i4").ravel())
    if elf.position_dependent:
        found |= _in_code(elf, octets.view("<i8").ravel())
    return found


def _in_code(elf: Elf, addresses: np.ndarray) -> np.ndarray:
    inside = np.zeros(len(addresses), bool)
    for low, high in elf.code:
        inside |= (addresses >= low) & (addresses < high)
    return inside


def entries(elf: Elf, table: int, stop: int) -> np.ndarray:
    """The code addresses that a table holds, up to the first entry that is none."""
    count = max(0, min((stop - table) // 4, _LONGEST))
    found = np.frombuffer(elf.memory, "<i4", count, table - elf.base).astype(np.int64) + table
    relative = _leading(elf, found)
    if not elf.position_dependent or len(relative):
        return relative
    return _leading(elf, np.frombuffer(elf.memory, "<i8", count // 2, table - elf.base))


def _leading(elf: Elf, addresses: np.ndarray) -> np.ndarray:
    good = _in_code(elf, addresses)
    return addresses if good.all() else addresses[: int(np.argmin(good))]
