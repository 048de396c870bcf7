"""Classic BPF's operation codes and their arithmetic, as far as seccomp accepts them.

Numbers: <linux/bpf_common.h>. Arithmetic: net/core/filter.c (bpf_convert_filter) translates to
eBPF's 32-bit operations; each function documents odd operands.
"""

from __future__ import annotations

import operator
from collections.abc import Callable

# The low three bits: the class.
LD, LDX, ST, STX, ALU, JMP, RET, MISC = range(8)

# Loads: where from (with size W, which is 0; H and B exist but seccomp refuses them).
IMM, ABS, IND, MEM, LEN, MSH = 0x00, 0x20, 0x40, 0x60, 0x80, 0xA0
H, B = 0x08, 0x10

# Arithmetic and jumps: the operation; and where the second operand comes from (K or X).
ADD, SUB, MUL, DIV, OR, AND, LSH, RSH, NEG, MOD, XOR = range(0x00, 0xB0, 0x10)
JA, JEQ, JGT, JGE, JSET = range(0x00, 0x50, 0x10)
K, X = 0x00, 0x08

RET_K, RET_A = RET, RET | 0x10
TAX, TXA = MISC, MISC | 0x80

MEMORY_WORDS = 16
"""BPF_MEMWORDS: the scratch memory M[0] … M[15]."""

_U32 = 0xFFFFFFFF


def _divide(left: int, right: int) -> int:
    """Divide unsigned; a divisor of 0 never gets here: the program then returns 0 (KILL_THREAD)."""
    return left // right


# A shift by a register takes its low five bits, as the JITs' machine instructions do.
ARITHMETIC: dict[int, Callable[[int, int], int]] = {
    ADD: lambda left, right: (left + right) & _U32,
    SUB: lambda left, right: (left - right) & _U32,
    MUL: lambda left, right: (left * right) & _U32,
    DIV: _divide,
    OR: operator.or_,
    AND: operator.and_,
    LSH: lambda left, right: (left << (right & 31)) & _U32,
    RSH: lambda left, right: left >> (right & 31),
    XOR: operator.xor,
    NEG: lambda left, _right: -left & _U32,
}

COMPARISON: dict[int, Callable[[int, int], bool]] = {
    JEQ: operator.eq,
    JGT: operator.gt,
    JGE: operator.ge,
    JSET: lambda left, right: left & right != 0,
}

LOADS = frozenset({LD | ABS, LD | IMM, LD | MEM, LD | LEN, LDX | IMM, LDX | MEM, LDX | LEN})

_ALU_CODES = {ALU | op | source for op in ARITHMETIC if op != NEG for source in (K, X)}
CONDITIONAL = frozenset(JMP | op | source for op in COMPARISON for source in (K, X))

SECCOMP_CODES = frozenset(
    LOADS | _ALU_CODES | CONDITIONAL | {ALU | NEG, JMP | JA, ST, STX, TAX, TXA, RET_K, RET_A}
)
"""Codes that seccomp_check_filter accepts (kernel/seccomp.c)."""

CLASSIC_CODES = SECCOMP_CODES | frozenset(
    {ALU | MOD | K, ALU | MOD | X, LD | H | ABS, LD | B | ABS, LDX | B | MSH}
    | {LD | IND, LD | H | IND, LD | B | IND}
)
"""Codes that chk_code_allowed accepts (net/core/filter.c): socket filters may do more."""
