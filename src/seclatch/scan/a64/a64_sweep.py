"""The sweep over aarch64 code: every instruction is one word, so whole sections are decoded.

Encodings: Arm Architecture Reference Manual, C4. An address is formed by two instructions, adrp and
one that adds the low bits; the second may be in another block than the first.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise

import numpy as np

from seclatch.scan.analysis.code_sweep import BRANCH, CALL, JUMP, CodeSweep, drop_returning
from seclatch.scan.analysis.functions import FunctionStarts
from seclatch.scan.elf.elf_file import ElfFile

SVC = 0xD4000001
_NOP = 0xD503201F
_SAVED = 19
"""Registers from here on keep their values over calls (AAPCS64)."""


def sign_extend(value: int, bits: int) -> int:
    """Return a field of an instruction as a signed number."""
    return value - (1 << bits) if value >> (bits - 1) & 1 else value


def _field(words: np.ndarray, low: int, bits: int) -> np.ndarray:
    found: np.ndarray = (words >> low) & ((1 << bits) - 1)
    return found


def _signed(values: np.ndarray, bits: int) -> np.ndarray:
    half = 1 << (bits - 1)
    found: np.ndarray = (values ^ half) - half
    return found


class _Words:
    """One executable range: its instructions, and masks of the relevant kinds."""

    def __init__(self, elf: ElfFile, low: int, high: int) -> None:
        count = (high - low) // 4
        self.low = low
        self.w = np.frombuffer(elf.memory, "<u4", count, low - elf.base).astype(np.int64)
        w = self.w
        self.at = low + 4 * np.arange(count, dtype=np.int64)
        self.call = w >> 26 == 0x25
        self.jump = w >> 26 == 5
        compare = (w >> 24 == 0x54) | (w >> 24 & 0x7E == 0x34)
        test = w >> 24 & 0x7E == 0x36
        self.branch = compare | test
        far = _signed(_field(w, 0, 26), 26)
        middle = _signed(_field(w, 5, 19), 19)
        near = _signed(_field(w, 5, 14), 14)
        offset = np.where(self.call | self.jump, far, np.where(test, near, middle))
        self.target = self.at + offset * 4
        # br, and ret with its authenticated forms.
        self.leave = (w & 0xFFFFFC1F == 0xD65F0000) | (w & 0xFFFFFBFF == 0xD65F0BFF)
        self.leave |= (w & 0xFEFFF800 == 0xD61F0800) | (w & 0xFFFFFC1F == 0xD61F0000)
        # brk, and udf: compilers emit them where control must not arrive.
        self.trap = (w & 0xFFE0001F == 0xD4200000) | (w >> 16 == 0)


class A64Sweeper:
    """Decodes the whole file; fast enough to repeat it for each new start."""

    def __init__(self, elf: ElfFile, found: FunctionStarts) -> None:
        self._found = found
        self._elf = elf
        self._frames = dict(found.framed)
        self._ranges = [_Words(elf, low & ~3, high) for low, high in elf.code]

    def sweep(self, starts: list[int]) -> CodeSweep:
        """Decode every function of the file; the starts are sorted."""
        begins = np.array(starts, np.int64)
        sweep = CodeSweep()
        ends: list[tuple[int, int, int, int]] = []
        returns: set[int] = set()
        tails: dict[int, set[int]] = defaultdict(set)
        for words in self._ranges:
            self._transfers(words, begins, sweep, tails)
            sweep.sites += words.at[words.w == SVC].tolist()
            owners = np.searchsorted(begins, words.at[words.leave], "right") - 1
            returns |= set(begins[owners].tolist())
            ends += _ends(words, starts)
            _addresses(words, starts, sweep)
        for index, (start, following, how, target) in enumerate(ends):
            last = how == _CALLS and self._is_last(start, following, target)
            if last or (how == _FALLS and self._lacks_last(start, following)):
                ends[index] = (start, following, _STOPS, target)
        returns -= self._found.by_slots(self._found.ends, sweep.references, starts)
        sweep.twice = self._found.returns | self._found.by_slots(
            self._found.returns, sweep.references, starts
        )
        _find_endless(sweep, starts, ends, returns, tails)
        return sweep

    def _is_last(self, start: int, following: int, target: int) -> bool:
        """Return whether it ends, by its frame, with a call of another file's function.

        As on x86-64: such a function never returns.
        """
        return self._frames.get(start) == following and self._found.in_stub(target)

    def _lacks_last(self, start: int, following: int) -> bool:
        """Return whether it ends, by its frame, with a nop that replaces a call.

        The linker writes a nop for the call of a weak function that a static program does not have;
        control does not pass it.
        """
        last = self._elf.memory[following - 4 - self._elf.base : following - self._elf.base]
        ends = self._frames.get(start) == following and last == _NOP.to_bytes(4, "little")
        return ends and not self._elf.interpreter

    @staticmethod
    def _transfers(
        words: _Words, begins: np.ndarray, sweep: CodeSweep, tails: dict[int, set[int]]
    ) -> None:
        own = np.searchsorted(begins, words.at, "right")
        other = own != np.searchsorted(begins, words.target, "right")
        for mask, kind in (
            (words.call, CALL),
            (words.jump & other, JUMP),
            (words.branch & other, BRANCH),
        ):
            at, to = words.at[mask].tolist(), words.target[mask].tolist()
            sweep.transfers += [(a, b, kind) for a, b in zip(at, to, strict=True)]
            if kind != CALL:
                owners = begins[np.maximum(own[mask] - 1, 0)].tolist()
                for owner, target in zip(owners, to, strict=True):
                    tails[owner].add(target)


_FALLS, _CALLS, _STOPS = 0, 1, 2


def _ends(words: _Words, starts: list[int]) -> list[tuple[int, int, int, int]]:
    """Return (start, next start, how it ends, target of a call at its end) for each function."""
    high = words.low + 4 * len(words.w)
    found = []
    inside = [start for start in starts if words.low <= start < high]
    for start, following in pairwise(inside):
        index = (following - words.low) // 4 - 1
        while index > (start - words.low) // 4 and words.w[index] == _NOP:
            index -= 1
        how = _FALLS
        if words.call[index]:
            how = _CALLS
        elif words.jump[index] or words.leave[index] or words.trap[index]:
            how = _STOPS
        found.append((start, following, how, int(words.target[index])))
    return found


def _find_endless(
    sweep: CodeSweep,
    starts: list[int],
    ends: list[tuple[int, int, int, int]],
    returns: set[int],
    tails: dict[int, set[int]],
) -> None:
    """Find the functions that never return, and those that fall through into the next."""
    falls = {start for start, _, how, _ in ends if how == _FALLS}
    endless = {start for start in starts if start not in returns and start not in falls}
    endless = drop_returning(endless, {start: tails.get(start, set()) for start in endless})
    sweep.endless = endless
    sweep.running |= falls
    for start, following, how, target in ends:
        if how == _FALLS or (how == _CALLS and target not in endless):
            sweep.falls.append((start, following))


def _addresses(words: _Words, starts: list[int], sweep: CodeSweep) -> None:
    """Find addresses that instructions form: adr, literals, and adrp with the low bits added."""
    w = words.w
    adrp, adr = w & 0x9F000000 == 0x90000000, w & 0x9F000000 == 0x10000000
    add, memory = w & 0xFF800000 == 0x91000000, w & 0x3B000000 == 0x39000000
    literal = w & 0x3B000000 == 0x18000000
    leaders = np.zeros(len(w), bool)
    inside = (words.target[words.jump | words.branch] - words.low) // 4
    leaders[inside[(inside >= 0) & (inside < len(w))]] = True
    leaders[1:] |= (words.jump | words.leave | words.trap)[:-1]  # entered from elsewhere
    first = np.array([start for start in starts if words.low <= start < words.low + 4 * len(w)])
    begins = set(((first - words.low) // 4).tolist()) if len(first) else set()
    for index in begins:
        leaders[index] = True
    tracker = _Tracker(words, sweep, _pages(words, adrp, first))
    wanted = adrp | adr | add | memory | literal | words.call | leaders
    kinds = np.select([adrp, adr, add, memory, literal, words.call], [1, 2, 3, 4, 5, 6], 0)
    for index in np.flatnonzero(wanted).tolist():
        if leaders[index]:
            tracker.block(index, index in begins)
        tracker.step(index, int(kinds[index]))


def _pages(words: _Words, adrp: np.ndarray, first: np.ndarray) -> dict[tuple[int, int], set[int]]:
    """Map (function, register) to every page that an adrp of the function loads into it."""
    found: dict[tuple[int, int], set[int]] = defaultdict(set)
    index = np.flatnonzero(adrp)
    w, at = words.w[index], words.at[index]
    pages = (at & ~0xFFF) + (_signed(_field(w, 5, 19) << 2 | _field(w, 29, 2), 21) << 12)
    owners = np.searchsorted(first, at, "right") - 1
    rows = zip(owners.tolist(), (w & 31).tolist(), pages.tolist(), strict=True)
    for owner, register, page in rows:
        found[(owner, register)].add(page)
    return found


def _set_anew(w: np.ndarray) -> np.ndarray:
    """Return the register that an instruction sets independently of its former value.

    -1 for others, and where that is not known.
    """
    rd, rn, rm = w & 31, _field(w, 5, 5), _field(w, 16, 5)
    # Logical, add, subtract of two registers (mov too); movz, movn; loads of one register; mrs.
    computed = (w & 0x1E000000 == 0x0A000000) & (rn != rd) & (rm != rd)
    moved = w & 0x3F800000 == 0x12800000  # opc 00 and 10: bit 29 makes it movk
    loaded = (w & 0x3F000000 == 0x39000000) | (w & 0x3F200C00 == 0x38000000)
    loaded &= (w & 0x00C00000 != 0) & (w & 0xC0C00000 != 0xC0800000)  # no store, no prfm
    status = w & 0xFFF00000 == 0xD5300000
    return np.where(computed | moved | loaded | status, rd, -1)


class _Tracker:
    """Follows registers through one basic block after another.

    A register that was not set in the block may hold any page that the function loads into it.
    """

    def __init__(
        self, words: _Words, sweep: CodeSweep, pages: dict[tuple[int, int], set[int]]
    ) -> None:
        self._words = words
        self._sweep = sweep
        self._pages = pages
        self._function = -1
        self._known: dict[int, int | None] = {}
        self._set = _set_anew(words.w)
        self._begin = 0

    def block(self, index: int, function: bool) -> None:
        """Begin a block, or a function."""
        self._known = {}
        self._begin = index
        self._function += function

    def step(self, index: int, kind: int) -> None:
        """Apply one instruction that forms or uses an address."""
        word, at = int(self._words.w[index]), int(self._words.at[index])
        rd, rn = word & 31, word >> 5 & 31
        if kind == 1:
            high = sign_extend((word >> 5 & 0x7FFFF) << 2 | word >> 29 & 3, 21)
            self._known[rd] = (at & ~0xFFF) + (high << 12)
        elif kind == 2:
            self._refer(
                at, at + sign_extend((word >> 5 & 0x7FFFF) << 2 | word >> 29 & 3, 21), taken=True
            )
            self._known[rd] = None
        elif kind == 3:
            self._add(word, at, rd, self._bases(rn, index))
        elif kind == 4:
            self._memory(word, at, rd, self._bases(rn, index))
        elif kind == 5:
            self._refer(at, at + sign_extend(word >> 5 & 0x7FFFF, 19) * 4)
        elif kind == 6:
            for register in range(_SAVED):
                self._known[register] = None

    def _bases(self, register: int, index: int) -> set[int]:
        if register in self._known:
            known = self._known[register]
            return set() if known is None else {known}
        pages = self._pages.get((self._function, register), set())
        if pages and (self._set[self._begin : index] == register).any():
            return set()  # it holds something else since
        return pages

    def _add(self, word: int, at: int, rd: int, bases: set[int]) -> None:
        low = (word >> 10 & 0xFFF) << (12 if word >> 22 & 1 else 0)
        formed = {base + low for base in bases}
        for address in formed:
            self._refer(at, address, taken=True)
        self._known[rd] = next(iter(formed)) if len(formed) == 1 else None

    def _memory(self, word: int, at: int, rd: int, bases: set[int]) -> None:
        vector = word >> 26 & 1
        scale = 4 if vector and word >> 23 & 1 else word >> 30
        for base in bases:
            self._refer(at, base + ((word >> 10 & 0xFFF) << scale))
        if word >> 22 & 1 and not vector:
            self._known[rd] = None

    def _refer(self, at: int, to: int, *, taken: bool = False) -> None:
        self._sweep.references.append((at, to))
        if taken:
            self._sweep.taken.add(at)
