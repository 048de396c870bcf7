"""Recognise glibc's handlers of its own signals in static programs, by the signals' numbers.

setuid(3) and the like must change every thread: one function makes the call for all of them, and
sends SIGSETXID to the others, whose handler repeats it. SIGCANCEL's handler compares an address
with that of the code whose calls may be cancelled. In the shared library, rows of glibc.toml know
all three by name. A static program often has no names, but no other code may use these signals
(nptl(7)).

See docs/decisions/0069 (static glibc programs).
"""

from __future__ import annotations

import re
import struct
from bisect import bisect_right
from dataclasses import dataclass

from seclatch.scan.analysis.abstract_values import make_numbers
from seclatch.scan.analysis.constant_arguments import FileCode
from seclatch.scan.analysis.syscall_numbers import NumberResolver, SiteNumbers
from seclatch.scan.elf.elf_file import AARCH64, ElfFile

SIGCANCEL, SIGSETXID = 32, 33

_TGKILL = {AARCH64: 131}
_TGKILL_X86_64 = 234
_LANDING = (
    b"\xf3\x0f\x1e\xfa",
    b"\x5f\x24\x03\xd5",
    b"\x3f\x23\x03\xd5",
)  # endbr64, bti c, paciasp
_BY_THREAD = re.compile(rb"\x83(?:[\x78-\x7f]\x08|\x7c\x24\x08|[\xf8-\xff])\xfa", re.DOTALL)
"""cmpl $-6, 8(reg); cmp $-6, reg."""
_BEGIN = 160
"""Bytes from their start in which they test so."""


@dataclass(frozen=True, slots=True)
class CallRegisters:
    """Registers of a call's number, and of its third argument: tgkill's signal."""

    number: int
    third: int


def find_senders(
    code: FileCode, resolver: NumberResolver, numbers: SiteNumbers, registers: CallRegisters
) -> set[int]:
    """Return the functions (by index) that make an unknown call and send SIGSETXID.

    The call's number is in memory to which their argument points, and does not change meanwhile.
    """
    if code.elf.interpreter:
        return set()
    asking = {function for function, _ in numbers.unresolved}
    call = make_numbers(_TGKILL.get(code.elf.machine, _TGKILL_X86_64))
    found: set[int] = set()
    for at in code.sweep.sites:
        function = resolver.function(at)
        state = resolver.state(at) if function in asking else None
        if state and state.get(registers.number) == call:
            found |= {function} if state.get(registers.third) == make_numbers(SIGSETXID) else set()
    return found if len(found) == 1 else set()


def drop_handler_sites(code: FileCode, resolver: NumberResolver, numbers: SiteNumbers) -> None:
    """Drop the unresolved sites of the handler where there are senders: it repeats their calls."""
    sites = set(code.sweep.sites)
    handlers = {
        (function, at)
        for function, at in numbers.unresolved
        if at in sites
        and handles_signal(code.elf, start := resolver.begin(function), SIGSETXID)
        and not resolver.callers(start)
    }
    if len(handlers) == 1:  # with more, one of them is not glibc's
        numbers.unresolved -= handlers


def is_only_compared(code: FileCode, resolver: NumberResolver, start: int) -> bool:
    """Return whether only SIGCANCEL's handler takes the address of a function."""
    takers = {resolver.start(at) for at, to in code.sweep.references if to == start}
    alone = takers and not code.elf.interpreter and start not in code.switched
    return bool(alone) and all(handles_signal(code.elf, taker, SIGCANCEL) for taker in takers)


Pointer = tuple[int, int]
"""Slot, address."""


def find_compared_pointers(code: FileCode, stored: set[Pointer]) -> set[Pointer]:
    """Return the pointers to code that only SIGCANCEL's handler reads, to compare an address."""
    if code.elf.interpreter:
        return set()
    starts = sorted(code.found.starts)
    handlers = {i for i, start in enumerate(starts) if handles_signal(code.elf, start, SIGCANCEL)}
    by_handler: set[int] = set()
    by_others: set[int] = set()
    for at, to in code.sweep.references if handlers else ():
        (by_handler if bisect_right(starts, at) - 1 in handlers else by_others).add(to)
    slots = by_handler - by_others
    return {pointer for pointer in stored if pointer[0] in slots and code.elf.is_code(pointer[1])}


def handles_signal(elf: ElfFile, start: int, signal: int) -> bool:
    """Return whether a function begins as glibc's handler of the signal.

    It compares its first argument with the signal, an int, and then tests whether a thread sent it
    (SI_TKILL): 32 alone is a blank, too.
    """
    at = start - elf.base
    if elf.memory[at : at + 4] in _LANDING:
        at += 4
    begin, body = elf.memory[at : at + 4], elf.memory[at : at + _BEGIN]
    if elf.machine == AARCH64:
        if begin != struct.pack("<I", 0x7100001F | signal << 10):  # cmp w0, #signal
            return False
        words = struct.unpack(f"<{len(body) // 4}I", body[: len(body) & ~3])
        return any(word & ~0x3E0 == 0x3100181F for word in words)  # cmn wN, #6
    return begin[:3] == b"\x83\xff" + bytes([signal]) and _BY_THREAD.search(body) is not None
