"""Operands of x86-64 instructions: registers, words of the stack, memory elsewhere."""

from __future__ import annotations

import operator

import iced_x86 as iced

from seclatch.scan.analysis import stack_words
from seclatch.scan.analysis.abstract_values import (
    State,
    Value,
    apply_operation,
    make_numbers,
    may_be_address,
    move_address,
    to_signed,
)
from seclatch.scan.x86.x86_registers import load_registers

R, K = iced.Register, iced.OpKind

WHOLE, WIDTH = load_registers()
"""Of every general register: the whole one that it is part of, and its bytes."""

HIGH = {R.AH: R.RAX, R.BH: R.RBX, R.CH: R.RCX, R.DH: R.RDX}
"""Second bytes of registers, which are not modelled: the whole one is unknown after a write."""

_ALL = (1 << 64) - 1


def read_operand(instruction: iced.Instruction, position: int, state: State) -> Value:
    """Return the value of an operand: a register, a word of memory, or an immediate."""
    kind = instruction.op_kind(position)
    if kind == K.REGISTER:
        return read_register(instruction.op_register(position), state)
    if kind == K.MEMORY:
        return _load(instruction, state)
    if kind == K.NEAR_BRANCH64:
        return None
    try:
        return make_numbers(instruction.immediate(position) & 0xFFFFFFFFFFFFFFFF)
    except ValueError:
        return None


def read_register(register: int, state: State) -> Value:
    """Return the value of a register or a part of one."""
    if register not in WHOLE:
        return None
    whole, width = WHOLE[register], WIDTH[register]
    value = state.get(whole)
    if value is None and width < 4:
        value = state.get(("part", whole, width))
    if value is None or width == 8:
        return value
    if width < 4 and not all(isinstance(atom, int) for atom in value):
        return None
    mask = (1 << (8 * width)) - 1
    return frozenset(atom & mask if isinstance(atom, int) else atom for atom in value)


def _load(instruction: iced.Instruction, state: State) -> Value:
    place, width = find_memory_place(instruction, state), _width(instruction)
    if place is None:
        return None
    if place[0] == "frame":
        return stack_words.load_word(state, place, width)
    if width < 4 or not stack_words.is_certain(state, stack_words.KEPT):
        return None
    return frozenset([("memory", place[1], place[2])])


def find_memory_place(instruction: iced.Instruction, state: State) -> tuple[str, int, int] | None:
    """Return the address of a memory operand: in the frame, or from a register at entry."""
    if instruction.memory_index != R.NONE or instruction.memory_base not in WHOLE:
        return None
    value = state.get(WHOLE[instruction.memory_base])
    if value is None or len(value) != 1:
        return None
    (atom,) = value
    offset = to_signed(instruction.memory_displacement)
    if isinstance(atom, tuple) and atom[0] == "frame":
        return move_address(atom, offset)
    if isinstance(atom, tuple) and atom[0] == "in":
        return ("in", atom[1], offset)
    return None


def has_same_operands(instruction: iced.Instruction) -> bool:
    """Return whether both operands are one register: `xor eax, eax`."""
    return bool(
        instruction.op0_kind == K.REGISTER == instruction.op1_kind
        and instruction.op0_register == instruction.op1_register
        and instruction.op0_register in WHOLE
    )


def write_operand(instruction: iced.Instruction, state: State, value: Value) -> None:
    """Write the first operand."""
    if instruction.op0_kind == K.REGISTER:
        register = instruction.op0_register
        if register in WHOLE:
            write_register(register, state, value)
        elif register in HIGH:
            write_whole_register(state, HIGH[register], None)
    elif instruction.op0_kind == K.MEMORY:
        store_operand(instruction, state, value)


def write_register(register: int, state: State, value: Value) -> None:
    """Write a register: 4 bytes clear the rest, fewer keep it."""
    whole, width = WHOLE[register], WIDTH[register]
    if width >= 4:
        write_whole_register(state, whole, value)
        return
    mask = (1 << (8 * width)) - 1
    low = apply_operation(value, make_numbers(mask), operator.and_, 8)
    rest = apply_operation(state.get(whole), make_numbers(~mask & _ALL), operator.and_, 8)
    write_whole_register(state, whole, apply_operation(rest, low, operator.or_, 8))
    state[("part", whole, width)] = low


def store_operand(instruction: iced.Instruction, state: State, value: Value) -> None:
    """Write memory: a word of the frame, or anything else."""
    plain = any(instruction.op_kind(i) == K.MEMORY for i in range(instruction.op_count))
    place = find_memory_place(instruction, state) if plain else None
    if place is not None and place[0] == "frame":
        stack_words.store_word(state, place, _width(instruction), value)
        return
    stack_words.note_unknown_write(state)
    base, index = (WHOLE.get(at, -1) for at in (instruction.memory_base, instruction.memory_index))
    if may_be_address(state.get(base)) or may_be_address(state.get(index)):
        stack_words.forget_words(state)


def write_whole_register(state: State, whole: int, value: Value) -> None:
    """Write a whole register, and drop what was known of its low bytes alone."""
    state[whole] = value
    for width in (1, 2):
        state.pop(("part", whole, width), None)


def _width(instruction: iced.Instruction) -> int:
    """Return the bytes of the memory operand; 0 for those without a size (xsave)."""
    return iced.MemorySizeExt.size(instruction.memory_size)
