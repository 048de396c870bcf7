"""Interpret a filter for one call as the kernel would: an interpreter of classic BPF.

It is kept plain, because everything else is checked against it, and it against the kernel
(docs/decisions/0011). For a table of many calls `seclatch.filter.evaluate_calls` is quicker and
returns the same.

No filter is run for two calls: see `UNASKED`.
"""

from __future__ import annotations

from collections.abc import Sequence

from seclatch.filter.classic_bpf import opcode
from seclatch.filter.classic_bpf.opcode import ALU, DIV, JMP, LD, LDX, NEG, RET, ST, STX, X
from seclatch.model.action import ActionKind
from seclatch.model.filter import Filter, Instruction
from seclatch.model.seccomp_data import DATA_SIZE, SeccompData
from seclatch.model.verdict import Verdict

UNASKED = {335: "uretprobe, since Linux 6.14", 336: "uprobe, since Linux 6.18"}
"""x86-64 numbers that the kernel does not filter (kernel/seccomp.c, seccomp_uprobe_exception).

Uprobes must work in sandboxes; issued by anything else the calls fail (SIGILL, EPROTO).
"""


def simulate_filter(program: Filter, call: SeccompData) -> Verdict:
    """Return the verdict of one filter; the kernel must accept the program (`verify`)."""
    return BpfMachine(call.words(program.byteorder)).run(program.instructions)


def simulate_stack(programs: Sequence[Filter], call: SeccompData) -> Verdict:
    """Return the verdict of filters loaded one after the other, oldest first.

    As in seccomp_run_filters, every filter runs, from the newest on, and the most restrictive
    action wins; among equal ones the newest filter's data. No filter at all allows.
    """
    verdict = Verdict(ActionKind.ALLOW.value)
    for layer in reversed(range(len(programs))):
        own = simulate_filter(programs[layer], call)
        if own.precedence < verdict.precedence or layer == len(programs) - 1:
            verdict = Verdict(own.value, own.index, layer)
    return verdict


class BpfMachine:
    """Registers A and X, memory M, and the call's data; all words are unsigned 32-bit."""

    __slots__ = ("a", "data", "memory", "x")

    def __init__(self, data: Sequence[int]) -> None:
        self.data = data
        self.a = self.x = 0
        self.memory = [0] * opcode.MEMORY_WORDS

    def run(self, code: Sequence[Instruction]) -> Verdict:
        """Run the program from its start to a return."""
        index = 0
        while True:
            instruction = code[index]
            kind = instruction.code & 7
            if kind == RET:
                constant = instruction.code == opcode.RET_K
                return Verdict(instruction.k if constant else self.a, index)
            if kind == JMP:
                index += 1 + self.jump(instruction)
                continue
            if kind == ALU and not self.compute(instruction):
                return Verdict(0, index)
            if kind != ALU:
                self.move(instruction)
            index += 1

    def jump(self, instruction: Instruction) -> int:
        """Return how many instructions to skip."""
        code, jt, jf, k = instruction
        if code == JMP | opcode.JA:
            return k
        right = self.x if code & X else k
        return jt if opcode.COMPARISON[code & 0xF0](self.a, right) else jf

    def compute(self, instruction: Instruction) -> bool:
        """Change A; return False for a division by zero, at which the kernel ends the program."""
        operation = instruction.code & 0xF0
        right = self.x if instruction.code & X and operation != NEG else instruction.k
        if operation == DIV and right == 0:
            return False
        self.a = opcode.ARITHMETIC[operation](self.a, right)
        return True

    def move(self, instruction: Instruction) -> None:
        """Load a register, store one, or copy one to the other."""
        code, k = instruction.code, instruction.k
        kind = code & 7
        if kind == LD:
            self.a = self.load(code, k)
        elif kind == LDX:
            self.x = self.load(code, k)
        elif kind in (ST, STX):
            self.memory[k] = self.a if kind == ST else self.x
        elif code == opcode.TAX:
            self.x = self.a
        else:
            self.a = self.x

    def load(self, code: int, k: int) -> int:
        """Return the value that LD or LDX loads."""
        mode = code & 0xE0
        if mode == opcode.ABS:
            return self.data[k // 4]
        if mode == opcode.MEM:
            return self.memory[k]
        return k if mode == opcode.IMM else DATA_SIZE
