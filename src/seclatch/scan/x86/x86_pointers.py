"""What x86-64 instructions do with a pointer to a function: see `analysis/pointer_calls.py`."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, replace

import iced_x86 as iced

from seclatch.scan.analysis.abstract_values import (
    State,
    find_frame_address,
    may_be_address,
    move_address,
    to_signed,
)
from seclatch.scan.analysis.pointer_calls import Held, PointerStep
from seclatch.scan.analysis.stack_words import Place
from seclatch.scan.x86.x86_operands import WHOLE, WIDTH, find_memory_place, has_same_operands
from seclatch.scan.x86.x86_registers import find_codes

R, M, F, K = iced.Register, iced.Mnemonic, iced.FlowControl, iced.OpKind

_CHANGED = frozenset((R.RAX, R.RCX, R.RDX, R.RSI, R.RDI, R.R8, R.R9, R.R10, R.R11))
"""Registers that a called function may change (System V psABI)."""
_PASSED = frozenset((R.RDI, R.RSI, R.RDX, R.RCX, R.R8, R.R9, R.R10))
"""Those by which a function is given arguments, and a static chain."""
_RETURNED = frozenset((R.RAX, R.RDX, R.RCX))
"""Those by which it returns: LLVM returns up to three words."""
_FRAME = frozenset((R.RSP, R.RBP))
_BY_SYSCALL = frozenset((R.RAX, R.RCX, R.R11))

_IGNORED = {M.CMP, M.TEST, M.NOP, M.ENDBR64}
_READS = {
    iced.OpAccess.READ,
    iced.OpAccess.COND_READ,
    iced.OpAccess.READ_WRITE,
    iced.OpAccess.READ_COND_WRITE,
}
_WRITES = {iced.OpAccess.WRITE, iced.OpAccess.READ_WRITE}
_INFO = iced.InstructionInfoFactory()
_WORD = 8
_LOWEST = -(1 << 62)


@dataclass(frozen=True, slots=True)
class _Facts:
    """An instruction, and what is known before it."""

    instruction: iced.Instruction
    state: State
    held: Held
    slots: Set[int]

    def place(self) -> Place | None:
        """Return the place of the memory operand, if that is a word of the frame."""
        place = find_memory_place(self.instruction, self.state)
        return place if place is not None and place[0] == "frame" else None

    def holds(self, position: int) -> bool:
        """Return whether an operand may be the whole pointer."""
        instruction = self.instruction
        if instruction.op_kind(position) == K.REGISTER:
            register = instruction.op_register(position)
            return WHOLE.get(register, R.NONE) in self.held and WIDTH[register] == _WORD
        return instruction.op_kind(position) == K.MEMORY and (
            self.is_slot() or (self.is_word() and self.place() in self.held)
        )

    def is_word(self) -> bool:
        """Return whether the memory operand has eight bytes."""
        return iced.MemorySizeExt.size(self.instruction.memory_size) == _WORD

    def is_slot(self) -> bool:
        """Return whether the memory operand is a word that contains the pointer."""
        instruction = self.instruction
        return (
            instruction.memory_displacement in self.slots
            and instruction.memory_base in (R.RIP, R.NONE)
            and instruction.memory_index == R.NONE
        )

    def read(self, position: int) -> Place | None:
        """Return the word of the frame from which an operand takes the pointer."""
        is_memory = self.instruction.op_kind(position) == K.MEMORY
        return self.place() if is_memory and self.holds(position) else None


def follow_instruction(
    instruction: iced.Instruction, state: State, held: Held, slots: Set[int], *, leaves: bool
) -> PointerStep:
    """Return what an instruction does with the pointer; `leaves`: it may jump out of its function.

    What it writes holds no pointer any more. A jump out of the function with the pointer in a
    register that must be kept leads to another part of the function.
    """
    facts = _Facts(instruction, state, held, slots)
    flow, mnemonic = instruction.flow_control, instruction.mnemonic
    if mnemonic == M.SYSCALL:
        return PointerStep(held - _BY_SYSCALL)
    if flow in (F.CALL, F.INDIRECT_CALL):
        return _call(facts)
    if flow != F.NEXT:
        return _leave(facts, leaves=leaves)
    step = _move(facts) if mnemonic not in _IGNORED else PointerStep(held)
    return replace(step, exposed=_find_exposed(instruction, state))


def _leave(facts: _Facts, *, leaves: bool) -> PointerStep:
    """Follow a jump, a return or a trap."""
    instruction, held = facts.instruction, facts.held
    if instruction.flow_control == F.RETURN:
        return PointerStep(frozenset(), escapes=not held.isdisjoint(_RETURNED))
    if instruction.flow_control == F.INDIRECT_BRANCH:
        called = facts.holds(0) and not facts.is_slot()
        rest = held - {WHOLE.get(instruction.op0_register, R.NONE)}
        return PointerStep(held, called, bool(leaves and rest), not called, facts.read(0))
    jumps = instruction.flow_control in (F.UNCONDITIONAL_BRANCH, F.CONDITIONAL_BRANCH)
    return PointerStep(held, escapes=jumps and leaves and bool(held))


def _call(facts: _Facts) -> PointerStep:
    instruction, held = facts.instruction, facts.held
    called = facts.holds(0) and not facts.is_slot()
    target = WHOLE.get(instruction.op0_register, R.NONE) if called else R.NONE
    passed = (held & _PASSED) - {target}
    return PointerStep(held - _CHANGED, called, bool(passed), True, facts.read(0))


def _move(facts: _Facts) -> PointerStep:
    """Follow what moves whole words; anything else must not read the pointer."""
    instruction, held = facts.instruction, facts.held
    mnemonic = instruction.mnemonic
    top = find_frame_address(facts.state.get(R.RSP))
    if (mnemonic == M.MOV or instruction.code in find_codes("CMOV")) and facts.holds(1):
        return _write(facts)
    if instruction.code in find_codes("CMOV") and facts.holds(0):
        return _kept(held)
    if mnemonic == M.PUSH and top is not None:
        below = move_address(top, -_WORD)
        rest = _without(held, below, _WORD)
        return PointerStep(rest | {below}, read=facts.read(0)) if facts.holds(0) else _kept(rest)
    if mnemonic == M.POP and top in held and instruction.op0_register in WHOLE:
        return PointerStep(held | {WHOLE[instruction.op0_register]}, read=top)
    if mnemonic in (M.XOR, M.SUB) and has_same_operands(instruction):
        return _kept(held - {WHOLE[instruction.op0_register]})
    return _other(facts)


def _kept(held: Held) -> PointerStep:
    return PointerStep(held)


def _write(facts: _Facts) -> PointerStep:
    """Copy the pointer to a register or a word of the frame; anywhere else, it escapes."""
    instruction, held = facts.instruction, facts.held
    if instruction.op0_kind == K.REGISTER and instruction.op0_register in WHOLE:
        return PointerStep(held | {WHOLE[instruction.op0_register]}, read=facts.read(1))
    place = facts.place()
    if place is None:
        return PointerStep(held, escapes=True)
    return PointerStep(_without(held, place, _WORD) | {place})


def _other(facts: _Facts) -> PointerStep:
    """Follow any other instruction: the pointer escapes if it reads it, in whole or in part."""
    instruction, held = facts.instruction, facts.held
    info = _INFO.info(instruction)
    is_load = instruction.mnemonic != M.LEA and facts.is_slot()
    escapes = is_load and any(memory.access in _READS for memory in info.used_memory())
    for used in info.used_registers():
        whole = WHOLE.get(used.register, R.NONE)
        escapes = escapes or (used.access in _READS and whole in facts.held)
        if used.access in _WRITES:
            held = held - {whole}
    place = facts.place()
    for memory in info.used_memory() if place is not None else ():
        size = iced.MemorySizeExt.size(memory.memory_size)
        if memory.access in _READS and _without(facts.held, place, size) != facts.held:
            escapes = True
        if memory.access == iced.OpAccess.WRITE:
            held = _without(held, place, size)
    return PointerStep(held, escapes=escapes)


def _without(held: Held, place: Place | None, size: int) -> Held:
    """Return the places less the words that overlap so many bytes of the frame."""
    if place is None:
        return held
    return frozenset(
        key
        for key in held
        if not (
            isinstance(key, tuple)
            and key[1] == place[1]
            and place[2] - _WORD < key[2] < place[2] + size
        )
    )


def _find_exposed(instruction: iced.Instruction, state: State) -> Place | None:
    """Return the lowest address of the frame that an instruction takes, or indexes from."""
    copied = any(
        instruction.op_kind(i) == K.REGISTER
        and instruction.op_register(i) in _FRAME
        and may_be_address(state.get(instruction.op_register(i)))
        for i in range(1, instruction.op_count)
    )
    into = WHOLE.get(instruction.op0_register, R.NONE) if instruction.op0_kind == K.REGISTER else 0
    if copied and into not in _FRAME:
        return ("frame", 0, _LOWEST)
    base = find_frame_address(state.get(WHOLE.get(instruction.memory_base, R.NONE)))
    indexed = instruction.memory_index != R.NONE
    if base is None or not (indexed or instruction.mnemonic == M.LEA) or into in _FRAME:
        return None
    return move_address(base, to_signed(instruction.memory_displacement))
