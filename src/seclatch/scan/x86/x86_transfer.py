"""Effects of x86-64 instructions that do not branch, as far as call numbers need them."""

from __future__ import annotations

import operator
from collections.abc import Callable

import iced_x86 as iced

from seclatch.scan.analysis import stack_words
from seclatch.scan.analysis.abstract_values import (
    State,
    Value,
    apply_operation,
    find_frame_address,
    join_values,
    make_numbers,
    may_be_address,
    move_address,
)
from seclatch.scan.x86.x86_operands import (
    HIGH,
    WHOLE,
    WIDTH,
    find_memory_place,
    has_same_operands,
    read_operand,
    store_operand,
    write_operand,
    write_whole_register,
)
from seclatch.scan.x86.x86_registers import find_codes

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


def apply_instruction(instruction: iced.Instruction, state: State) -> None:
    """Apply an instruction to the state; note where an address of the frame escapes."""
    handed = stack_words.is_certain(state, stack_words.HIDDEN) and _reads_address(
        instruction, state
    )
    _apply(instruction, state)
    if handed and not _keeps_address(instruction, state):
        stack_words.expose_frame(state)


def _reads_address(instruction: iced.Instruction, state: State) -> bool:
    """Return whether it takes an address of the frame, other than to read or write there."""
    taken = [
        instruction.op_register(i)
        for i in range(instruction.op_count)
        if instruction.op_kind(i) == K.REGISTER
    ]
    if instruction.mnemonic == M.LEA:
        taken += [instruction.memory_base, instruction.memory_index]
    elif instruction.mnemonic in _MOVES and instruction.op0_kind == K.REGISTER:
        del taken[0]
    return any(may_be_address(state.get(WHOLE.get(register, -1))) for register in taken)


def _keeps_address(instruction: iced.Instruction, state: State) -> bool:
    """Return whether its result is for the frame itself: a stack or a frame pointer."""
    whole = WHOLE.get(instruction.op0_register, -1) if instruction.op0_kind == K.REGISTER else -1
    mine = whole in (RSP, R.RBP) and find_frame_address(state.get(whole)) is not None
    return instruction.mnemonic == M.POP or (mine and instruction.mnemonic != M.PUSH)


def _apply(instruction: iced.Instruction, state: State) -> None:
    mnemonic = instruction.mnemonic
    if mnemonic == M.SYSCALL:
        for register in (R.RAX, R.RCX, R.R11):
            write_whole_register(state, register, None)
        stack_words.note_unknown_write(state)  # the kernel may write memory: read(2)
    elif mnemonic in _MOVES:
        value = read_operand(instruction, 1, state)
        write_operand(
            instruction, state, _extended(instruction, value) if mnemonic == M.MOVSX else value
        )
    elif mnemonic in _ARITHMETIC and instruction.op0_kind == K.REGISTER:
        _arithmetic(instruction, state)
    elif mnemonic == M.SBB and has_same_operands(instruction):
        # The carry flag as 0 or -1.
        write_operand(
            instruction, state, make_numbers(0, (1 << (8 * WIDTH[instruction.op0_register])) - 1)
        )
    elif mnemonic == M.LEA:
        _lea(instruction, state)
    elif mnemonic in (M.PUSH, M.POP, M.LEAVE):
        _stack(instruction, state)
    else:
        _conditional(instruction, state)


def _extended(instruction: iced.Instruction, value: Value) -> Value:
    """Return a byte or two as the signed number that they are."""
    size = iced.MemorySizeExt.size(instruction.memory_size)
    width = WIDTH.get(instruction.op1_register, 1) if instruction.op1_kind == K.REGISTER else size
    sign = 1 << (8 * width - 1)
    if value is None or not all(isinstance(atom, int) and atom < sign for atom in value):
        return None  # a negative one is no number of a call, and none is computed with it
    return value


def _conditional(instruction: iced.Instruction, state: State) -> None:
    if instruction.code in find_codes("CMOV"):
        either = join_values(
            read_operand(instruction, 0, state), read_operand(instruction, 1, state)
        )
        write_operand(instruction, state, either)
    elif instruction.code in find_codes("SET", "_RM8"):
        write_operand(instruction, state, make_numbers(0, 1))
    else:
        _forget(instruction, state)


def _arithmetic(instruction: iced.Instruction, state: State) -> None:
    register = instruction.op0_register
    if register not in WHOLE:
        write_operand(instruction, state, None)
        return
    if instruction.mnemonic in _ZEROING and has_same_operands(instruction):
        write_operand(instruction, state, make_numbers(0))
    elif WHOLE[register] == RSP and instruction.mnemonic == M.AND:
        state[RSP] = frozenset([("frame", instruction.ip, 0)])  # the stack is aligned here
    else:
        a, b = read_operand(instruction, 0, state), read_operand(instruction, 1, state)
        write_operand(
            instruction,
            state,
            apply_operation(a, b, _ARITHMETIC[instruction.mnemonic], WIDTH[register]),
        )


def _lea(instruction: iced.Instruction, state: State) -> None:
    place = find_memory_place(instruction, state)
    if place is not None and place[0] == "frame":
        write_operand(instruction, state, frozenset([place]))
        return
    value: Value = None
    width = WIDTH.get(instruction.op0_register, 8)
    if instruction.memory_base in WHOLE:
        value = state.get(WHOLE[instruction.memory_base])
    elif instruction.memory_base == R.NONE:
        value = make_numbers(0)
    if instruction.memory_index == instruction.memory_base and instruction.memory_index in WHOLE:
        by = make_numbers(1 + instruction.memory_index_scale)
        value = apply_operation(value, by, operator.mul, 8)
    elif instruction.memory_index in WHOLE:
        scale = make_numbers(instruction.memory_index_scale)
        index = state.get(WHOLE[instruction.memory_index])
        value = apply_operation(
            value, apply_operation(index, scale, operator.mul, 8), operator.add, 8
        )
    elif instruction.memory_index != R.NONE:
        value = None
    displacement = make_numbers(instruction.memory_displacement)
    write_operand(instruction, state, apply_operation(value, displacement, operator.add, width))


def _stack(instruction: iced.Instruction, state: State) -> None:
    top = find_frame_address(state.get(RSP))
    if instruction.mnemonic == M.LEAVE:
        base = find_frame_address(state.get(R.RBP))
        write_whole_register(
            state, RSP, None if base is None else frozenset([move_address(base, 8)])
        )
        write_whole_register(
            state, R.RBP, None if base is None else stack_words.load_word(state, base, 8)
        )
    elif top is None:
        if instruction.mnemonic == M.POP:
            write_operand(instruction, state, None)
    elif instruction.mnemonic == M.PUSH:
        below = move_address(top, -8)
        stack_words.store_word(state, below, 8, read_operand(instruction, 0, state))
        state[RSP] = frozenset([below])
    else:
        value = stack_words.load_word(state, top, 8)
        state[RSP] = frozenset([move_address(top, 8)])
        write_operand(instruction, state, value)


def _forget(instruction: iced.Instruction, state: State) -> None:
    """Make everything unknown that an instruction writes which is not modelled."""
    for used in _INFO.info(instruction).used_registers():
        whole = WHOLE.get(used.register, HIGH.get(used.register))
        if used.access in _WRITES and whole is not None:
            write_whole_register(state, whole, None)
    if any(used.access in _WRITES for used in _INFO.info(instruction).used_memory()):
        store_operand(instruction, state, None)
