"""What x86-64 instructions do that go on to the next one, as far as call numbers need it."""

from __future__ import annotations

import operator
from collections.abc import Callable

import iced_x86 as iced

from seclatch.scan.analysis import stack_words
from seclatch.scan.analysis.abstract_values import (
    State,
    Value,
    arithmetic,
    frame_of,
    is_address,
    join,
    moved,
    number,
)
from seclatch.scan.x86.x86_operands import (
    HIGH,
    WHOLE,
    WIDTH,
    is_same,
    place_of,
    read,
    set_whole,
    store,
    write,
)
from seclatch.scan.x86.x86_registers import codes

R, M, K = iced.Register, iced.Mnemonic, iced.OpKind

RSP = R.RSP

_MOVES = {M.MOV, M.MOVZX, M.MOVSX, M.MOVSXD}
_ZEROING = {M.XOR, M.SUB}
_ARITHMETIC: dict[int, Callable[[int, int], int]] = {
    M.ADD: operator.add,
    M.SUB: operator.sub,
    M.AND: operator.and_,
    M.OR: operator.or_,
    M.XOR: operator.xor,
}
_WRITES = {
    iced.OpAccess.WRITE,
    iced.OpAccess.COND_WRITE,
    iced.OpAccess.READ_WRITE,
    iced.OpAccess.READ_COND_WRITE,
}
_INFO = iced.InstructionInfoFactory()


def apply(each: iced.Instruction, state: State) -> None:
    """Change the state as the instruction does; note where an address of the frame leaves it."""
    handed = stack_words.holds(state, stack_words.HIDDEN) and _reads_address(each, state)
    _apply(each, state)
    if handed and not _keeps_address(each, state):
        stack_words.hand_out(state)


def _reads_address(each: iced.Instruction, state: State) -> bool:
    """It takes an address of the frame, other than to read or write there."""
    taken = [each.op_register(i) for i in range(each.op_count) if each.op_kind(i) == K.REGISTER]
    if each.mnemonic == M.LEA:
        taken += [each.memory_base, each.memory_index]
    elif each.mnemonic in _MOVES and each.op0_kind == K.REGISTER:
        del taken[0]
    return any(is_address(state.get(WHOLE.get(register, -1))) for register in taken)


def _keeps_address(each: iced.Instruction, state: State) -> bool:
    """What it makes of one is for the frame itself: a stack or a frame pointer."""
    whole = WHOLE.get(each.op0_register, -1) if each.op0_kind == K.REGISTER else -1
    mine = whole in (RSP, R.RBP) and frame_of(state.get(whole)) is not None
    return each.mnemonic == M.POP or (mine and each.mnemonic != M.PUSH)


def _apply(each: iced.Instruction, state: State) -> None:
    mnemonic = each.mnemonic
    if mnemonic == M.SYSCALL:
        for register in (R.RAX, R.RCX, R.R11):
            set_whole(state, register, None)
        stack_words.write_elsewhere(state)  # the kernel may: read(2)
    elif mnemonic in _MOVES:
        value = read(each, 1, state)
        write(each, state, _extended(each, value) if mnemonic == M.MOVSX else value)
    elif mnemonic in _ARITHMETIC and each.op0_kind == K.REGISTER:
        _arithmetic(each, state)
    elif mnemonic == M.SBB and is_same(each):
        # The carry flag as 0 or -1.
        write(each, state, number(0, (1 << (8 * WIDTH[each.op0_register])) - 1))
    elif mnemonic == M.LEA:
        _lea(each, state)
    elif mnemonic in (M.PUSH, M.POP, M.LEAVE):
        _stack(each, state)
    else:
        _conditional(each, state)


def _extended(each: iced.Instruction, value: Value) -> Value:
    """A byte or two as the signed number that they are."""
    size = iced.MemorySizeExt.size(each.memory_size)
    width = WIDTH.get(each.op1_register, 1) if each.op1_kind == K.REGISTER else size
    sign = 1 << (8 * width - 1)
    if value is None or not all(isinstance(atom, int) and atom < sign for atom in value):
        return None  # a negative one is no number of a call, and nobody computes one with it
    return value


def _conditional(each: iced.Instruction, state: State) -> None:
    if each.code in codes("CMOV"):
        either = join(read(each, 0, state), read(each, 1, state))
        write(each, state, either)
    elif each.code in codes("SET", "_RM8"):
        write(each, state, number(0, 1))
    else:
        _forget(each, state)


def _arithmetic(each: iced.Instruction, state: State) -> None:
    register = each.op0_register
    if register not in WHOLE:
        write(each, state, None)
        return
    if each.mnemonic in _ZEROING and is_same(each):
        write(each, state, number(0))
    elif WHOLE[register] == RSP and each.mnemonic == M.AND:
        state[RSP] = frozenset([("frame", each.ip, 0)])  # the stack is aligned here
    else:
        a, b = read(each, 0, state), read(each, 1, state)
        write(each, state, arithmetic(a, b, _ARITHMETIC[each.mnemonic], WIDTH[register]))


def _lea(each: iced.Instruction, state: State) -> None:
    place = place_of(each, state)
    if place is not None and place[0] == "frame":
        write(each, state, frozenset([place]))
        return
    value: Value = None
    width = WIDTH.get(each.op0_register, 8)
    if each.memory_base in WHOLE:
        value = state.get(WHOLE[each.memory_base])
    elif each.memory_base == R.NONE:
        value = number(0)
    if each.memory_index == each.memory_base and each.memory_index in WHOLE:
        by = number(1 + each.memory_index_scale)
        value = arithmetic(value, by, operator.mul, 8)
    elif each.memory_index in WHOLE:
        scale = number(each.memory_index_scale)
        index = state.get(WHOLE[each.memory_index])
        value = arithmetic(value, arithmetic(index, scale, operator.mul, 8), operator.add, 8)
    elif each.memory_index != R.NONE:
        value = None
    displacement = number(each.memory_displacement)
    write(each, state, arithmetic(value, displacement, operator.add, width))


def _stack(each: iced.Instruction, state: State) -> None:
    top = frame_of(state.get(RSP))
    if each.mnemonic == M.LEAVE:
        base = frame_of(state.get(R.RBP))
        set_whole(state, RSP, None if base is None else frozenset([moved(base, 8)]))
        set_whole(state, R.RBP, None if base is None else stack_words.load(state, base, 8))
    elif top is None:
        if each.mnemonic == M.POP:
            write(each, state, None)
    elif each.mnemonic == M.PUSH:
        below = moved(top, -8)
        stack_words.store(state, below, 8, read(each, 0, state))
        state[RSP] = frozenset([below])
    else:
        value = stack_words.load(state, top, 8)
        state[RSP] = frozenset([moved(top, 8)])
        write(each, state, value)


def _forget(each: iced.Instruction, state: State) -> None:
    """Whatever an instruction writes that is not modelled may then hold anything."""
    for used in _INFO.info(each).used_registers():
        whole = WHOLE.get(used.register, HIGH.get(used.register))
        if used.access in _WRITES and whole is not None:
            set_whole(state, whole, None)
    if any(used.access in _WRITES for used in _INFO.info(each).used_memory()):
        store(each, state, None)
