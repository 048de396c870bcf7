"""System calls inside of another instruction's bytes, where jumps lead into its middle.

Linear decoding goes wrong behind data in code until it happens to be aligned again. Bytes alone
prove nothing, for they occur in numbers too; but there are few, and only those count to which the
code leads from the target of a jump in the function.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import defaultdict

import iced_x86 as iced

from seclatch.scan.analysis.code_sweep import CodeSweep
from seclatch.scan.elf.elf_file import ElfFile

_CALLS = re.compile(rb"\x0f\x05|\xcd\x80")
_NATIVE = 0x0F
_FURTHEST = 4096
"""Bytes until decoding is aligned again: mostly a few."""
_BRANCHES = {iced.FlowControl.UNCONDITIONAL_BRANCH, iced.FlowControl.CONDITIONAL_BRANCH}


def add_overlapping_sites(elf: ElfFile, sweep: CodeSweep, starts: list[int]) -> None:
    """Add such sites to the result of the sweep."""
    known = {*sweep.sites, *sweep.foreign}
    by_function: dict[int, set[int]] = defaultdict(set)
    for low, high in elf.code:
        for match in _CALLS.finditer(elf.memory, low - elf.base, high - elf.base):
            at = match.start() + elf.base
            first = bisect_right(starts, at) - 1
            if at not in known and first >= 0:
                by_function[first].add(at)
    entered = sorted({to for _, to, _ in sweep.transfers}) if by_function else []
    for first, places in sorted(by_function.items()):
        start = starts[first]
        stop = starts[first + 1] if first + 1 < len(starts) else elf.base + len(elf.memory)
        targets = set(entered[bisect_left(entered, start) : bisect_left(entered, stop)])
        for at in sorted(places & _passed_over(elf, start, stop, targets)):
            is_native = elf.memory[at - elf.base] == _NATIVE
            (sweep.sites if is_native else sweep.foreign).append(at)


def _passed_over(elf: ElfFile, start: int, stop: int, targets: set[int]) -> set[int]:
    """Return the instructions to which jumps lead, and which linear decoding skips."""
    known: set[int] = set()
    for instruction in iced.Decoder(64, elf.memory[start - elf.base : stop - elf.base], ip=start):
        known.add(instruction.ip)
        if instruction.flow_control in _BRANCHES:
            targets.add(instruction.near_branch_target)
    found: set[int] = set()
    for target in sorted(targets - known):
        if not start < target < stop:
            continue
        code = elf.memory[target - elf.base : min(stop, target + _FURTHEST) - elf.base]
        for instruction in iced.Decoder(64, code, ip=target):
            if instruction.ip in known or instruction.ip in found:
                break  # from here on all is decoded already
            found.add(instruction.ip)
    return found
