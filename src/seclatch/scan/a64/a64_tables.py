"""Jump tables of aarch64 code: small entries, counted in instructions from an address in the code.

`adrp t, table; add t, t, #low; adr a, label; ldrb n, [t, i]; add a, a, n, lsl #2; br a`: compilers
emit this within one block. GCC adds `n, sxtb #2`. Without the table a jump may lead anywhere in a
function that takes addresses within itself.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from seclatch.scan.a64.a64_sweep import sign_extend

_LONGEST = 40
"""Instructions of a block that are looked at before a jump."""

_SUMS = {0x8B000800: False, 0x8B208800: True, 0x8B20A800: True}
"""add with `lsl #2`, `sxtb #2`, `sxth #2`; and whether the entry is signed."""

_LOADS = {0x38600800: 1, 0x78600800: 2}
"""ldrb, ldrh with an index register, and the bytes of an entry."""


@dataclass(frozen=True, slots=True)
class JumpTable:
    """Where a table is, the bytes of its entries, and the address from which they count."""

    table: int
    size: int
    signed: bool
    label: int
    first: int
    """The index of the first instruction that forms any of these."""

    def read_targets(self, data: bytes) -> list[int]:
        """Return where its entries lead, if they are this."""
        entries = [
            int.from_bytes(data[at : at + self.size], "little", signed=self.signed)
            for at in range(0, len(data) - self.size + 1, self.size)
        ]
        return [self.label + 4 * entry for entry in entries]


@dataclass(frozen=True, slots=True)
class FoundTables:
    """Where the computed jumps of a function lead, and the addresses from which they count."""

    targets: list[int]
    labels: frozenset[int] = frozenset()


def find_jump_targets(
    words: Sequence[int],
    start: int,
    entered: Collection[int],
    read_table: Callable[[int], bytes],
) -> FoundTables | None:
    """Return where the computed jumps of a function lead; None if one of them has no table.

    `entered`: addresses in it to which other code leads; `read_table` returns the bytes of the data
    object at an address.
    """
    joins = {(address - start) // 4 for address in entered}
    joins |= {index + leap for index, word in enumerate(words) if (leap := _leap(word))}
    found: set[int] = set()
    labels: set[int] = set()
    formed: set[int] = set()
    for index, word in enumerate(words):
        if not _is_computed_jump(word):
            continue
        table = _Block(words, start, joins, index).find_table()
        if table is None:
            return None
        targets = table.read_targets(read_table(table.table))
        inside = [to for to in targets if start <= to < start + 4 * len(words)]
        if not inside or inside[0] != targets[0]:
            return None
        found.update(inside)  # what is read beyond the end of a table leads elsewhere, too
        labels.add(table.label)
        formed.update(range(start + 4 * (table.first + 1), start + 4 * (index + 1), 4))
    if found & formed:
        return None  # a table leads to where another register may hold its address
    return FoundTables(sorted(found), frozenset(labels))


class _Block:
    """The instructions before a computed jump that are executed whenever it is."""

    def __init__(self, words: Sequence[int], start: int, joins: set[int], jump: int) -> None:
        self._words, self._start, self._jump = words, start, jump
        self._used = jump
        self._first = jump
        while self._first > max(0, jump - _LONGEST) and self._first not in joins:
            if _transfers(words[self._first - 1]):
                break
            self._first -= 1

    def find_table(self) -> JumpTable | None:
        """Return the table of the jump."""
        at, add = self._find_definition(self._words[self._jump] >> 5 & 31, self._jump)
        signed = _SUMS.get(add & 0xFFE0FC00)
        _, label = self._find_definition(add >> 5 & 31, at)
        loaded, load = self._find_definition(add >> 16 & 31, at)
        size = _LOADS.get(load & 0xFFE00C00)
        if signed is None or size is None or label & 0x9F000000 != 0x10000000:  # adr
            return None
        table = self._find_address(load >> 5 & 31, loaded)
        if table is None:
            return None
        label_at = self._read_adr(add >> 5 & 31, at)
        return JumpTable(table, size, signed, label_at, self._used)

    def _read_adr(self, register: int, before: int) -> int:
        at, word = self._find_definition(register, before)
        return self._start + 4 * at + read_offset(word)

    def _find_address(self, register: int, before: int) -> int | None:
        """Return the address that a register holds, formed by adrp and add, or by adr."""
        at, word = self._find_definition(register, before)
        if word & 0x9F000000 == 0x10000000:
            return self._start + 4 * at + read_offset(word)
        if word & 0xFFC00000 != 0x91000000:  # add, without a shift
            return None
        at, page = self._find_definition(word >> 5 & 31, at)
        if page & 0x9F000000 != 0x90000000:
            return None
        address = self._start + 4 * at
        return (address & ~0xFFF) + (read_offset(page) << 12) + (word >> 10 & 0xFFF)

    def _find_definition(self, register: int, before: int) -> tuple[int, int]:
        """Return the last instruction that may write a register: index and word, (0, 0) if none."""
        for index in range(before - 1, self._first - 1, -1):
            if _may_write(self._words[index], register):
                self._used = min(self._used, index)
                return index, self._words[index]
        return 0, 0


def _may_write(word: int, register: int) -> bool:
    """Return whether an instruction may write a register: stores and comparisons seem to."""
    if word & 31 == register:
        return True
    if word & 0x0A000000 != 0x08000000:  # no load or store
        return False
    pair = word & 0x3A000000 == 0x28000000
    atomic = word & 0x3F000000 == 0x08000000
    others = [word >> 10 & 31, word >> 16 & 31] if pair or atomic else []
    if atomic and word & 0x00207C00 == 0x00207C00:
        others.append((word >> 16 & 31) + 1)  # casp: a pair that begins with this one
    return register in others or (_moves_base(word, pair=pair) and word >> 5 & 31 == register)


def _moves_base(word: int, *, pair: bool) -> bool:
    """Return whether a load or store writes the register of its address, too."""
    if pair or word & 0xBE000000 == 0x0C000000:  # of several vector registers
        return bool(word >> 23 & 1)
    authenticated = word & 0xFF200C00 == 0xF8200C00
    return authenticated or word & 0x01200400 == 0x00000400


def _is_computed_jump(word: int) -> bool:
    """Return whether it is br, also with authentication."""
    return word & 0xFFFFFC1F == 0xD61F0000 or word & 0xFEFFF800 == 0xD61F0800


def _transfers(word: int) -> bool:
    """Return whether it is a branch, jump, call, return, or an exception, but no conditional one.

    After a branch that was not taken the block goes on.
    """
    calls = word >> 26 in (5, 0x25)
    return calls or word & 0xFE000000 == 0xD6000000 or word & 0xFF000000 == 0xD4000000


def _leap(word: int) -> int:
    """Return how many instructions ahead a direct jump leads; 0: it is none."""
    if word >> 26 == 5:
        return sign_extend(word & 0x3FFFFFF, 26)
    if word >> 24 == 0x54 or word >> 24 & 0x7E == 0x34:
        return sign_extend(word >> 5 & 0x7FFFF, 19)
    if word >> 24 & 0x7E == 0x36:
        return sign_extend(word >> 5 & 0x3FFF, 14)
    return 0


def read_offset(word: int) -> int:
    """Return the offset of adr or adrp."""
    return sign_extend((word >> 5 & 0x7FFFF) << 2 | word >> 29 & 3, 21)
