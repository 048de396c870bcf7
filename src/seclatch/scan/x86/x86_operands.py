"""What x86-64 instructions read and write: registers, words of the stack, memory elsewhere."""

from __future__ import annotations

import operator

import iced_x86 as iced

from seclatch.scan.analysis import stack_words
from seclatch.scan.analysis.abstract_values import (
    State,
    Value,
    arithmetic,
    is_address,
    moved,
    number,
    signed,
)
from seclatch.scan.x86.x86_registers import registers

R, K = iced.Register, iced.OpKind

WHOLE, WIDTH = registers()
"""Of every general register: the whole one that it is part of, and its bytes."""

HIGH = {R.AH: R.RAX, R.BH: R.RBX, R.CH: R.RCX, R.DH: R.RDX}
"""Second bytes of registers, which are not told apart: the whole one is unknown after a write."""

_ALL = (1 << 64) - 1


def read(each: iced.Instruction, position: int, state: State) -> Value:
    """What an operand holds: a register, a word of memory, or the instruction's own number."""
    kind = each.op_kind(position)
    if kind == K.REGISTER:
        return read_register(each.op_register(position), state)
    if kind == K.MEMORY:
        return _load(each, state)
    if kind == K.NEAR_BRANCH64:
        return None
    try:
        return number(each.immediate(position) & 0xFFFFFFFFFFFFFFFF)
    except ValueError:
        return None


def read_register(register: int, state: State) -> Value:
    """What a register or a part of one holds."""
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


def _load(each: iced.Instruction, state: State) -> Value:
    place, width = place_of(each, state), _width(each)
    if place is None:
        return None
    if place[0] == "frame":
        return stack_words.load(state, place, width)
    if width < 4 or not stack_words.holds(state, stack_words.KEPT):
        return None
    return frozenset([("memory", place[1], place[2])])


def place_of(each: iced.Instruction, state: State) -> tuple[str, int, int] | None:
    """The address of a memory operand: in the frame, or from a register at entry."""
    if each.memory_index != R.NONE or each.memory_base not in WHOLE:
        return None
    value = state.get(WHOLE[each.memory_base])
    if value is None or len(value) != 1:
        return None
    (atom,) = value
    offset = signed(each.memory_displacement)
    if isinstance(atom, tuple) and atom[0] == "frame":
        return moved(atom, offset)
    if isinstance(atom, tuple) and atom[0] == "in":
        return ("in", atom[1], offset)
    return None


def is_same(each: iced.Instruction) -> bool:
    """Whether both operands are one register: `xor eax, eax`."""
    return bool(
        each.op0_kind == K.REGISTER == each.op1_kind
        and each.op0_register == each.op1_register
        and each.op0_register in WHOLE
    )


def write(each: iced.Instruction, state: State, value: Value) -> None:
    """Write the first operand."""
    if each.op0_kind == K.REGISTER:
        register = each.op0_register
        if register in WHOLE:
            write_register(register, state, value)
        elif register in HIGH:
            set_whole(state, HIGH[register], None)
    elif each.op0_kind == K.MEMORY:
        store(each, state, value)


def write_register(register: int, state: State, value: Value) -> None:
    """A write of 4 bytes clears the rest of the register, a narrower one keeps it."""
    whole, width = WHOLE[register], WIDTH[register]
    if width >= 4:
        set_whole(state, whole, value)
        return
    mask = (1 << (8 * width)) - 1
    low = arithmetic(value, number(mask), operator.and_, 8)
    rest = arithmetic(state.get(whole), number(~mask & _ALL), operator.and_, 8)
    set_whole(state, whole, arithmetic(rest, low, operator.or_, 8))
    state[("part", whole, width)] = low


def store(each: iced.Instruction, state: State, value: Value) -> None:
    """Write memory: a word of the frame, or anything else."""
    plain = any(each.op_kind(i) == K.MEMORY for i in range(each.op_count))
    place = place_of(each, state) if plain else None
    if place is not None and place[0] == "frame":
        stack_words.store(state, place, _width(each), value)
        return
    stack_words.write_elsewhere(state)
    base, index = (WHOLE.get(at, -1) for at in (each.memory_base, each.memory_index))
    if is_address(state.get(base)) or is_address(state.get(index)):
        stack_words.forget(state)


def set_whole(state: State, whole: int, value: Value) -> None:
    """Write a whole register; what was known of its low bytes alone is gone."""
    state[whole] = value
    for width in (1, 2):
        state.pop(("part", whole, width), None)


def _width(each: iced.Instruction) -> int:
    """Bytes of the memory operand; 0 for those without a size (xsave)."""
    return iced.MemorySizeExt.size(each.memory_size)
