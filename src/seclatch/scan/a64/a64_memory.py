"""Loads and stores of aarch64, and its registers where 31 is the zero register."""

from __future__ import annotations

import operator

from seclatch.scan.a64.a64_sweep import sign_extend
from seclatch.scan.analysis import stack_words
from seclatch.scan.analysis.abstract_values import (
    State,
    Value,
    apply_operation,
    find_frame_address,
    make_numbers,
    may_be_address,
    move_address,
)


def apply_memory_access(word: int, state: State) -> None:
    """Apply a load or store; what exclusive and atomic ones write is unknown."""
    if word & 0x3A000000 == 0x28000000:
        _pair(word, state)
    elif word & 0x3B000000 == 0x39000000 or word & 0x3B200000 == 0x38000000:
        _single(word, state)
    elif word & 0x3B200C00 == 0x38200800:  # with an index register
        if not word >> 22 & 3 or word >> 26 & 1:
            _write_somewhere(word, state)
        else:
            write_register(state, word & 31, None, 1)
    else:
        _write_somewhere(word, state)
        for register in (word & 31, word >> 16 & 31, word >> 10 & 31) if not word >> 26 & 1 else ():
            write_register(state, register, None, 1)
        if word >> 26 & 1 and word >> 23 & 1:  # a vector's, which moves the base
            state[word >> 5 & 31] = None


def _pair(word: int, state: State) -> None:
    """Apply ldp or stp: two registers, the base changed before or after, or not."""
    vector, load = word >> 26 & 1, word >> 22 & 1
    size = 8 if word >> 31 or vector else 4
    offset = sign_extend(word >> 15 & 0x7F, 7) * (16 if vector and word >> 31 else size)
    rn, mode = word >> 5 & 31, word >> 23 & 3
    place = _base(state, rn, 0 if mode == 1 else offset)
    if vector and not load:
        _put(state, place, 32, None)
    elif not vector:
        for position, register in enumerate((word & 31, word >> 10 & 31)):
            at = None if place is None else (place[0], place[1], place[2] + position * size)
            _transfer(state, register, at, load, size)
    if mode in (1, 3):
        state[rn] = apply_operation(
            state.get(rn), make_numbers(offset & (1 << 64) - 1), operator.add, 8
        )


def _single(word: int, state: State) -> None:
    """Apply ldr or str: a scaled offset, an index register, or a changed base."""
    vector, load, size = word >> 26 & 1, (word >> 22 & 3) != 0, 1 << (word >> 30)
    if vector and word >> 23 & 1:
        size = 16
    rd, rn = word & 31, word >> 5 & 31
    if word & 0x01000000:
        offset, changes = (word >> 10 & 0xFFF) * size, False
    else:
        offset, changes = sign_extend(word >> 12 & 0x1FF, 9), bool(word >> 10 & 1)
    after = changes and not word >> 11 & 1
    place = _base(state, rn, 0 if after else offset)
    if not vector:
        _transfer(state, rd, place, load, size)
    elif not word >> 22 & 1:
        _put(state, place, size, None)
    if changes:
        state[rn] = apply_operation(
            state.get(rn), make_numbers(offset & (1 << 64) - 1), operator.add, 8
        )


def _transfer(
    state: State, register: int, place: stack_words.Place | None, load: int, size: int
) -> None:
    if load:
        value: Value = None
        if place is not None and place[0] == "frame":
            value = stack_words.load_word(state, place, size)
        elif place is not None and size >= 4 and stack_words.is_certain(state, stack_words.KEPT):
            value = frozenset([("memory", place[1], place[2])])
        write_register(state, register, value, 1 if size == 8 else 0)
        return
    if may_be_address(read_register(state, register)):
        stack_words.expose_frame(state)
    _put(state, place, size, read_register(state, register))


def _put(state: State, place: stack_words.Place | None, size: int, value: Value) -> None:
    if place is not None and place[0] == "frame":
        stack_words.store_word(state, place, size, value)
    else:
        stack_words.note_unknown_write(state)


def _write_somewhere(word: int, state: State) -> None:
    """Apply a store to an unknown address, maybe in the frame."""
    stack_words.note_unknown_write(state)
    if may_be_address(state.get(word >> 5 & 31)):
        stack_words.forget_words(state)


def _base(state: State, register: int, offset: int) -> tuple[str, int, int] | None:
    """Return the address of an operand: in the frame, or from a register at entry."""
    value = state.get(register)
    frame = find_frame_address(value)
    if frame is not None:
        return move_address(frame, offset)
    if value is not None and len(value) == 1:
        (atom,) = value
        if isinstance(atom, tuple) and atom[0] == "in":
            return ("in", atom[1], offset)
    return None


def read_register(state: State, register: int) -> Value:
    """Read a register where 31 is the zero register."""
    return make_numbers(0) if register == 31 else state.get(register)


def write_register(state: State, register: int, value: Value, wide: int) -> None:
    """Write a register; the upper half is cleared where the instruction is not `wide`."""
    if register == 31:
        return
    if value is not None and not wide:
        value = frozenset(atom & 0xFFFFFFFF if isinstance(atom, int) else atom for atom in value)
    state[register] = value
