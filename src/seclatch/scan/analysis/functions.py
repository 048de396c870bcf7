"""Find the starts of functions: by every table that a file may have, and by code without tables."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field

import numpy as np

from seclatch.scan.analysis.code_sweep import CALL, JUMP, CodeSweep
from seclatch.scan.analysis.library_rules import load_rules
from seclatch.scan.elf import eh_frame, pclntab
from seclatch.scan.elf import elf_file as elfs
from seclatch.scan.elf.elf_file import X86_64, ElfFile, ElfSection
from seclatch.scan.elf.relocations import SYMBOL, Relocations
from seclatch.scan.elf.symbols import SymbolTables

# mov $15,%rax; syscall: how every x86-64 C library returns from a signal handler.
_SIGRETURN = re.compile(rb"\x48\xc7\xc0\x0f\0\0\0\x0f\x05", re.DOTALL)
_ENDBR64 = re.compile(rb"\xf3\x0f\x1e\xfa", re.DOTALL)
_TWICE = re.compile(r"_*(sig)?setjmp|getcontext|_*(libc_)?vfork")
_CALL_REL32 = 0xE8
_BTI_C, _STP_X16 = 0xD503245F, 0xA9BF7BF0


@dataclass(slots=True)
class FunctionStarts:
    """`starts` of functions. `gaps` are guesses: where a frame ends and no other begins.

    `ends` are the slots of other files' functions that never return, `returns` those of functions
    that may return again, and such functions themselves. `handlers` are those that exceptions lead
    into, with the addresses of their tables.
    """

    starts: set[int]
    gaps: set[int]
    framed: list[tuple[int, int]]
    stubs: list[tuple[int, int]]
    go: bool = False
    lows: list[int] = field(default_factory=list)
    ends: set[int] = field(default_factory=set)
    returns: set[int] = field(default_factory=set)
    handlers: dict[int, int] = field(default_factory=dict)

    def framed_at(self, address: int) -> bool:
        """Return whether a frame description covers the address, so that its start is known."""
        index = bisect_right(self.lows, address) - 1
        return index >= 0 and address < self.framed[index][1]

    def in_stub(self, address: int) -> bool:
        """Return whether the address is in a procedure linkage table."""
        return any(low <= address < high for low, high in self.stubs)

    def by_slots(
        self, slots: set[int], references: list[tuple[int, int]], starts: list[int]
    ) -> set[int]:
        """Return the linkage stubs that lead to other files' functions."""
        return {
            starts[bisect_right(starts, at) - 1]
            for at, to in references
            if to in slots and self.in_stub(at)
        }


def find_functions(elf: ElfFile, symbols: SymbolTables, relocations: Relocations) -> FunctionStarts:
    """Collect starts from frames, symbols, linkage tables, Go's table, and stored pointers."""
    stubs = [
        (section.address, section.end)
        for section in elf.sections
        if section.name.startswith(".plt") or section.name == ".iplt"
    ]
    found = FunctionStarts(set(), set(), [], stubs)
    found.framed = [
        frame for frame in eh_frame.find_framed_functions(elf) if not found.in_stub(frame[0])
    ]
    found.lows = [low for low, _ in found.framed]
    found.starts = {low for low, _ in found.framed} | {low for low, _ in elf.code}
    found.starts |= {function for function in symbols.functions if elf.is_code(function)}
    for section in elf.sections:
        if (section.address, section.end) in stubs:
            found.starts.update(_list_stubs(elf, section))
    if elf.machine == X86_64:
        _mend_sigreturn(elf, found)
    else:
        _join_landings(elf, found)
    found.gaps = {end for _, end in found.framed if elf.is_code(end)} - found.starts
    found.starts |= found.gaps
    if elf.is_code(elf.entry):
        found.starts.add(elf.entry)
    go = pclntab.find_go_functions(elf, relocations)
    found.go = pclntab.is_go(elf)
    found.handlers = eh_frame.find_exception_handlers(elf)
    found.ends = _find_slots(symbols, relocations, load_rules().endless)
    found.returns = _find_slots(symbols, relocations, _TWICE)
    found.returns |= {at for at, name in symbols.names.items() if _TWICE.fullmatch(name)}
    found.starts.update(go)
    _add_pointer_targets(elf, relocations, found)
    return found


def _find_slots(
    symbols: SymbolTables, relocations: Relocations, names: re.Pattern[str]
) -> set[int]:
    """Return the slots for addresses of other files' functions with such names."""
    wanted = {i for i, (name, _) in enumerate(symbols.table) if names.fullmatch(name)}
    return {
        pointer.slot
        for pointer in relocations.pointers
        if pointer.kind == SYMBOL and pointer.value in wanted
    }


def _list_stubs(elf: ElfFile, section: ElfSection) -> list[int]:
    """Return the stubs of a linkage table: each is a function, though one frame covers them all."""
    low, high = section.address, section.end
    if elf.machine == X86_64:
        return list(range(low, high, 8 if section.entry == 8 else 16))
    words = np.frombuffer(elf.memory, "<u4", (high - low) // 4, low - elf.base)
    # Each begins with adrp x16, after `bti c` where branch targets are marked. The table's first
    # entry, which binds the others, begins with stp x16, x30; not every table has one.
    begins = np.flatnonzero((words & 0x9F00001F) == 0x90000010).tolist()
    binds = 5 if _STP_X16 in words[:2] else 0
    return [low] + [
        low + 4 * (begin - (int(words[begin - 1]) == _BTI_C)) for begin in begins if begin > binds
    ]


def _mend_sigreturn(elf: ElfFile, found: FunctionStarts) -> None:
    """Correct the frame of __restore_rt, which starts a byte early for unwinders that look back."""
    for match in _SIGRETURN.finditer(elf.memory):
        address = match.start() + elf.base
        if elf.is_code(address):
            found.starts.discard(address - 1)
            found.starts.add(address)


def _join_landings(elf: ElfFile, found: FunctionStarts) -> None:
    """Drop a symbol behind a function's landing pad (__syscall_cancel_arch_start)."""
    lows = set(found.lows)
    for low, high in found.framed:
        pad = elf.memory[low - elf.base : low - elf.base + 4]
        if low + 4 < high and low + 4 not in lows and pad == _BTI_C.to_bytes(4, "little"):
            found.starts.discard(low + 4)


def _add_pointer_targets(elf: ElfFile, relocations: Relocations, found: FunctionStarts) -> None:
    """Add stored code addresses outside of all frames: starts of hand-written code."""
    stored = {pointer.value for pointer in relocations.pointers if pointer.kind != SYMBOL}
    if elf.position_dependent:
        stored |= set(find_address_words(elf)[1].tolist())
    found.starts |= {a for a in stored if elf.is_code(a) and not found.framed_at(a)}


_UNUSED = (".eh_frame", ".gcc_except", ".gopclntab", ".gosymtab", ".dyn", ".gnu", ".note")


def find_address_words(elf: ElfFile) -> tuple[np.ndarray, np.ndarray]:
    """Return slots and values of the aligned words of data that are addresses of this file.

    For position dependent files, in which no relocation marks them.
    """
    slots, values = [], []
    for low, high in _list_data_ranges(elf):
        start = (low + 7) & ~7
        if high - start < 8:
            continue
        found = np.frombuffer(elf.memory, "<u8", (high - start) // 8, start - elf.base)
        index = np.flatnonzero((found >= elf.base) & (found < elf.end))
        slots.append(index * 8 + start)
        values.append(found[index].astype(np.int64))
    if not slots:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    return np.concatenate(slots), np.concatenate(values)


def _list_data_ranges(elf: ElfFile) -> list[tuple[int, int]]:
    """Return ranges that may hold pointers; without sections, all that is no code."""
    filled = elf.base + len(elf.memory) - 16
    if elf.sections:
        return [
            (section.address, min(section.end, filled))
            for section in elf.sections
            if section.flags & elfs.ALLOC
            and not section.flags & elfs.EXECINSTR
            and section.kind not in (elfs.NOBITS, elfs.NOTE, elfs.HASH, elfs.RELA)
            and not section.name.startswith(_UNUSED)
            and elf.base <= section.address <= filled
        ]
    ranges, at = [], elf.base
    for low, high in elf.code:
        ranges.append((at, low))
        at = high
    return [*ranges, (at, filled)]


def refine_starts(elf: ElfFile, found: FunctionStarts, sweep: CodeSweep) -> list[int]:
    """Add the starts that only code shows, drop guesses that it contradicts; return them sorted."""
    if elf.machine == X86_64:
        _join_falls(found, sweep)
    called = {target for _, target, kind in sweep.transfers if kind == CALL}
    if elf.machine == X86_64:
        called |= {to for _, to in sweep.references}
    found.starts |= _select_unframed(elf, found, called)
    if elf.machine == X86_64 and not found.go:
        _add_unframed(elf, found, sweep)
    return sorted(found.starts)


def _select_unframed(elf: ElfFile, found: FunctionStarts, addresses: set[int]) -> set[int]:
    """Return those addresses of code at which no frame description (.eh_frame) begins."""
    return {
        address
        for address in addresses - found.starts
        if elf.is_code(address) and not found.framed_at(address)
    }


def _join_falls(found: FunctionStarts, sweep: CodeSweep) -> None:
    """Join code that runs past its frame's end with that frame (glibc's clone3)."""
    joined = {following for _, following in sweep.falls} & found.gaps
    found.gaps -= joined
    found.starts -= joined


def _add_unframed(elf: ElfFile, found: FunctionStarts, sweep: CodeSweep) -> None:
    """Add aligned targets of jumps, and marks of indirect targets, in code without frames.

    Not a mark right after a call: that is where setjmp returns a second time.
    """
    jumps = {target for _, target, kind in sweep.transfers if kind == JUMP and target % 16 == 0}
    found.starts |= _select_unframed(elf, found, jumps)
    for match in _ENDBR64.finditer(elf.memory):
        address = match.start() + elf.base
        if not elf.is_code(address) or found.framed_at(address) or found.in_stub(address):
            continue
        if match.start() < 5 or elf.memory[match.start() - 5] != _CALL_REL32:
            found.starts.add(address)
