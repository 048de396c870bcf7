"""Disassemble a filter: labels, and names of calls, architectures and actions."""

from __future__ import annotations

from dataclasses import dataclass

from seclatch.filter.call_cases import format_action
from seclatch.filter.classic_bpf import opcode
from seclatch.filter.classic_bpf.known_values import KnownValues, propagate_values
from seclatch.filter.classic_bpf.opcode import ALU, JMP, LD, LDX, NEG, RET, ST, STX, X
from seclatch.filter.symbolic.term_text import COMPARISONS, SYMBOLS, name_word
from seclatch.model.action import Action
from seclatch.model.arch import X32_BIT, Arch
from seclatch.model.filter import ByteOrder, Filter, Instruction
from seclatch.model.seccomp_data import ARCH, DATA_SIZE, NUMBER
from seclatch.model.syscall import load_syscalls


@dataclass(frozen=True, slots=True)
class ListingLine:
    """One instruction of a listing.

    Its index, the label that others jump to ("" if none), its text, and a note (a name of the
    constant in it).
    """

    index: int
    label: str
    instruction: Instruction
    text: str
    note: str = ""


def disassemble_filter(program: Filter, arch: Arch | None = None) -> list[ListingLine]:
    """List a program, accepted by the kernel or not.

    `arch`: whose calls are meant where the program has not compared the architecture.
    """
    code = program.instructions
    labels = _labels(program)
    lines = []
    for index, known in enumerate(propagate_values(program)):
        text = _text(index, code[index], labels, program.byteorder)
        note = "unreachable" if known is None else _note(code[index], known, arch)
        lines.append(ListingLine(index, labels.get(index, ""), code[index], text, note))
    return lines


def _labels(program: Filter) -> dict[int, str]:
    """Return a label for each instruction that is jumped to past the next one."""
    targets = set()
    for index, (code, jt, jf, k) in enumerate(program.instructions):
        if code in opcode.CONDITIONAL:
            targets |= {index + 1 + offset for offset in (jt, jf) if offset}
        elif code == JMP | opcode.JA:
            targets.add(index + 1 + k)
    return {index: f"L{number}" for number, index in enumerate(sorted(targets), 1)}


def _text(
    index: int, instruction: Instruction, labels: dict[int, str], byteorder: ByteOrder
) -> str:
    code, jt, jf, k = instruction
    if code not in opcode.SECCOMP_CODES:
        return f".word {code:#06x}, {jt}, {jf}, {k:#x}"
    if code & 7 == JMP:
        return _jump(index, instruction, labels)
    if code & 7 == RET:
        return "return A" if code == opcode.RET_A else f"return {k:#010x}"
    if code & 7 == ALU:
        right = "X" if code & X else f"{k:#x}"
        return "A = -A" if code == ALU | NEG else f"A {SYMBOLS[code & 0xF0]}= {right}"
    return _move(code, k, byteorder)


def _jump(index: int, instruction: Instruction, labels: dict[int, str]) -> str:
    code, jt, jf, k = instruction
    if code == JMP | opcode.JA:
        return f"goto {labels[index + 1 + k]}"
    right = "X" if code & X else f"{k:#x}"
    test = f"A {COMPARISONS[code & 0xF0]} {right}"
    yes, no = (labels.get(index + 1 + offset, "") if offset else "" for offset in (jt, jf))
    if jt == jf:
        return f"if {test} goto {yes or 'next'} else goto {no or 'next'}"
    if not yes:
        return f"unless {test} goto {no}"
    return f"if {test} goto {yes}" + (f" else goto {no}" if no else "")


def _move(code: int, k: int, byteorder: ByteOrder) -> str:
    if code in (ST, STX):
        return f"M[{k}] = {'A' if code == ST else 'X'}"
    if code & 7 not in (LD, LDX):
        return "X = A" if code == opcode.TAX else "A = X"
    register = "A" if code & 7 == LD else "X"
    mode = code & 0xE0
    if mode == opcode.ABS:
        known = k % 4 == 0 and k < DATA_SIZE
        return f"{register} = {name_word(k // 4, byteorder) if known else f'data[{k:#x}]'}"
    if mode == opcode.MEM:
        return f"{register} = M[{k}]"
    return f"{register} = {k:#x}" if mode == opcode.IMM else f"{register} = {DATA_SIZE}"


def _note(instruction: Instruction, known: KnownValues, arch: Arch | None) -> str:
    code, _, _, k = instruction
    if code == opcode.RET_K:
        return _action_name(k)
    if code not in opcode.CONDITIONAL or code & X or code & 0xF0 == opcode.JSET:
        return ""
    if known.word == ARCH:
        return next((known_arch.audit_name for known_arch in Arch if known_arch.audit == k), "")
    return _call_name(instruction, known, arch) if known.word == NUMBER else ""


def _call_name(instruction: Instruction, known: KnownValues, arch: Arch | None) -> str:
    code, _, _, k = instruction
    if k == X32_BIT and code & 0xF0 == opcode.JGE:
        return "x32"
    try:
        own = arch if known.audit is None else Arch.from_audit(known.audit, k)
    except ValueError:
        return ""
    return load_syscalls(own).names.get(k, "") if own else ""


def _action_name(value: int) -> str:
    action = Action.from_ret(value)
    if action.kind.value != value & 0xFFFF0000:
        return f"unknown action, taken as {action}"
    return format_action(action)
