"""Propagate known values to each instruction of a filter, for naming constants.

A comparison with 59 means execve only where register A holds the call's number, and only where the
architecture has been compared equal to x86-64.
"""

from __future__ import annotations

from typing import NamedTuple

from seclatch.filter.classic_bpf import opcode
from seclatch.filter.classic_bpf.opcode import ALU, JMP, LD, MISC, RET
from seclatch.model.filter import Filter, Instruction
from seclatch.model.seccomp_data import ARCH


class KnownValues(NamedTuple):
    """Values known at an instruction, on every path that leads there.

    `word`: the word of seccomp_data that A holds unchanged, or None. `audit`: the AUDIT_ARCH_*
    value to which `arch` has been compared equal, or None.
    """

    word: int | None = None
    audit: int | None = None


NOTHING_KNOWN = KnownValues()


def propagate_values(program: Filter) -> list[KnownValues | None]:
    """Return what is known before each instruction; None where no path leads."""
    code = program.instructions
    known: list[KnownValues | None] = [None] * len(code)
    if code:
        known[0] = NOTHING_KNOWN
    for index, instruction in enumerate(code):
        now = known[index]
        if now is None:
            continue
        for offset, after in _list_successors(instruction, now):
            target = index + 1 + offset
            if target < len(code):
                known[target] = _merge_values(known[target], after)
    return known


def _list_successors(instruction: Instruction, now: KnownValues) -> list[tuple[int, KnownValues]]:
    """Return the next instructions, as an offset, and what is known there."""
    code, jt, jf, k = instruction
    kind = code & 7
    if kind == RET:
        return []
    if kind == JMP:
        if code == JMP | opcode.JA:
            return [(k, now)]
        return [
            (jt, _learn_arch(instruction, now, True)),
            (jf, _learn_arch(instruction, now, False)),
        ]
    if kind == LD:
        return [(0, now._replace(word=k // 4 if code == LD | opcode.ABS else None))]
    changes_a = kind == ALU or (kind == MISC and code == opcode.TXA)
    return [(0, now._replace(word=None) if changes_a else now)]


def _learn_arch(instruction: Instruction, now: KnownValues, holds: bool) -> KnownValues:
    code, _, _, k = instruction
    if now.word == ARCH and code == JMP | opcode.JEQ and holds:
        return now._replace(audit=k)
    return now


def _merge_values(one: KnownValues | None, other: KnownValues) -> KnownValues:
    """Return what is known on both paths."""
    if one is None:
        return other
    return KnownValues(
        one.word if one.word == other.word else None,
        one.audit if one.audit == other.audit else None,
    )
