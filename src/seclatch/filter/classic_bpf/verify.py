"""Check a program as the kernel does when loading it, in the kernel's order of checks.

Sources: kernel/seccomp.c (seccomp_prepare_filter, seccomp_check_filter, seccomp_attach_filter) and
net/core/filter.c (bpf_check_classic, check_load_and_stores); the same from Linux 3.17 to 6.18.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from seclatch.filter.classic_bpf import opcode
from seclatch.filter.classic_bpf.opcode import (
    ABS,
    ALU,
    DIV,
    JA,
    JMP,
    LD,
    LDX,
    LSH,
    MEM,
    MOD,
    RSH,
    ST,
    STX,
)
from seclatch.model.filter import Filter, Instruction
from seclatch.model.seccomp_data import DATA_SIZE

MAX_INSTRUCTIONS = 4096
"""BPF_MAXINSNS."""

MAX_PATH = (1 << 18) // 8
"""MAX_INSNS_PER_PATH: all filters of a task together, each older one counted with 4 more.

Counted after the translation to eBPF: see `count_loaded_instructions`.
"""

_ANCILLARY = 0xFFFFF000
"""SKF_AD_OFF: loads from here on mean ancillary data; the classic check refuses unknown ones."""

_KNOWN_ANCILLARY = frozenset(range(0, 64, 4))
_ZERO_DIVISOR = frozenset({ALU | DIV, ALU | MOD})
_WIDE_SHIFT = frozenset({ALU | LSH, ALU | RSH})
_MEMORY = frozenset({LD | MEM, LDX | MEM, ST, STX})
_SOCKET_LOADS = frozenset({LD | ABS, LD | opcode.H | ABS, LD | opcode.B | ABS})


@dataclass(frozen=True, slots=True)
class FilterRefusal:
    """Why the kernel returns `errno`: the rule broken, where (index or None), by which check."""

    rule: str
    index: int | None
    check: str
    errno: int = errno.EINVAL

    @property
    def reason(self) -> str:
        """Return the errno and the kernel function: `EINVAL from bpf_check_classic`."""
        return f"{errno.errorcode[self.errno]} from {self.check}"

    def __str__(self) -> str:
        where = "" if self.index is None else f"instruction {self.index}: "
        return f"{where}{self.rule} ({self.reason})"


def find_refusal(program: Filter) -> FilterRefusal | None:
    """Return the first reason for which the kernel would refuse this program, or None."""
    code = program.instructions
    if not 0 < len(code) <= MAX_INSTRUCTIONS:
        rule = f"{len(code)} instructions; a program has 1 to {MAX_INSTRUCTIONS}"
        return FilterRefusal(rule, None, "seccomp_prepare_filter")
    for check in (_check_classic, _check_memory, _check_seccomp):
        for found in check(code):
            return found
    return None


def find_stack_refusal(programs: Sequence[Filter]) -> FilterRefusal | None:
    """Return the first refusal of filters loaded one after the other (oldest first) on one task."""
    total = 0
    for program in programs:
        found = find_refusal(program)
        if found:
            return found
        total += count_loaded_instructions(program)
        if total > MAX_PATH:
            rule = f"{total} eBPF instructions in all stacked filters; {MAX_PATH} are allowed"
            return FilterRefusal(rule, None, "seccomp_attach_filter", errno.ENOMEM)
        total += 4
    return None


def count_loaded_instructions(program: Filter) -> int:
    """Return how many instructions the kernel keeps: bpf_convert_filter translates to eBPF.

    Counted as net/core/filter.c does since 4.14, before net.core.bpf_jit_harden adds more.
    """
    prologue = 3  # clear A, clear X, keep the context
    return prologue + sum(map(_translated, program.instructions))


def _translated(instruction: Instruction) -> int:
    """Return the number of eBPF instructions for one."""
    code, jt, jf, k = instruction
    if code == opcode.RET_K:
        return 2  # set R0, exit; A is R0 already
    if code == ALU | DIV | opcode.X:
        return 5  # with a test for zero, and a return of 0
    if code not in opcode.CONDITIONAL:
        return 1
    wide = 0 if code & opcode.X else k >> 31  # immediates are sign-extended: needs a register
    # One jump suffices if one target is the next instruction, except that JSET has no opposite.
    near = jf == 0 or (jt == 0 and code & 0xF0 != opcode.JSET)
    return wide + (1 if near else 2)


def _check_classic(code: Sequence[Instruction]) -> Iterator[FilterRefusal]:
    for index, instruction in enumerate(code):
        problem = _classic_problem(instruction, len(code) - index - 1)
        if problem:
            yield FilterRefusal(problem, index, "bpf_check_classic")
    if code[-1].code not in (opcode.RET_K, opcode.RET_A):
        yield FilterRefusal("the last instruction is no return", len(code) - 1, "bpf_check_classic")


def _classic_problem(instruction: Instruction, left: int) -> str:
    """Return what is wrong with an instruction, "" for nothing; `left` instructions follow."""
    code, k = instruction.code, instruction.k
    if code not in opcode.CLASSIC_CODES:
        return f"unknown operation code {code:#06x}"
    if code & 7 == JMP:
        return _jump_problem(instruction, left)
    if code & 7 == ALU:
        return _arithmetic_problem(code, k)
    if code in _MEMORY and k >= opcode.MEMORY_WORDS:
        return f"scratch memory M[{k}]; it ends at M[{opcode.MEMORY_WORDS - 1}]"
    if code in _SOCKET_LOADS and k >= _ANCILLARY and k - _ANCILLARY not in _KNOWN_ANCILLARY:
        return f"load from unknown ancillary data {k:#x}"
    return ""


def _arithmetic_problem(code: int, k: int) -> str:
    if code in _ZERO_DIVISOR and k == 0:
        return "division by the constant 0"
    if code in _WIDE_SHIFT and k >= 32:
        return f"shift by {k} bits of a 32-bit register"
    return ""


def _jump_problem(instruction: Instruction, left: int) -> str:
    code, jt, jf, k = instruction
    farthest = k if code == JMP | JA else max(jt, jf)
    return f"jump over {farthest} instructions, past the end" if farthest >= left else ""


def _check_memory(code: Sequence[Instruction]) -> Iterator[FilterRefusal]:
    """Require a store to scratch memory before a load on every path.

    Follows check_load_and_stores with its imprecision: code after a return counts as reached by
    falling through.
    """
    everything = 0xFFFF
    stored = [everything] * len(code)
    valid = 0
    for index, (operation, jt, jf, k) in enumerate(code):
        valid &= stored[index]
        if operation in (ST, STX):
            valid |= 1 << k
        elif operation in (LD | MEM, LDX | MEM) and not valid >> k & 1:
            yield FilterRefusal(
                f"M[{k}] is read before it is written", index, "check_load_and_stores"
            )
        elif operation & 7 == JMP:
            for offset in (k,) if operation == JMP | JA else (jt, jf):
                stored[index + 1 + offset] &= valid
            valid = everything


def _check_seccomp(code: Sequence[Instruction]) -> Iterator[FilterRefusal]:
    for index, (operation, _, _, k) in enumerate(code):
        if operation not in opcode.SECCOMP_CODES:
            rule = f"operation code {operation:#06x} is for sockets only"
            yield FilterRefusal(rule, index, "seccomp_check_filter")
        elif operation == LD | ABS and (k >= DATA_SIZE or k % 4):
            rule = f"load at offset {k}; seccomp_data has aligned words at 0 to {DATA_SIZE - 4}"
            yield FilterRefusal(rule, index, "seccomp_check_filter")
