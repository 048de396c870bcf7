"""Effects of aarch64 instructions that do not branch, as far as call numbers need them."""

from __future__ import annotations

import operator

from seclatch.scan.a64.a64_memory import apply_memory_access, read_register, write_register
from seclatch.scan.analysis import stack_words
from seclatch.scan.analysis.abstract_values import (
    State,
    Value,
    apply_operation,
    find_frame_address,
    join_values,
    make_numbers,
    may_be_address,
)

_SP, _FP = 31, 29


def apply_instruction(word: int, state: State) -> None:
    """Apply an instruction to the state; note where an address of the frame escapes."""
    if word & 0x0A000000 == 0x08000000:
        apply_memory_access(word, state)
        return
    rd = word & 31
    handed = stack_words.is_certain(state, stack_words.HIDDEN) and any(
        may_be_address(state.get(source)) for source in _sources(word)
    )
    _compute(word, state)
    if handed and (rd not in (_SP, _FP) or find_frame_address(state.get(rd)) is None):
        stack_words.expose_frame(state)


def _sources(word: int) -> list[int]:
    """Return the registers that a computing instruction reads; 31 only where it is sp."""
    rn, rm = word >> 5 & 31, word >> 16 & 31
    if word >> 26 & 7 == 4:  # with an immediate; move wide and adr read none
        none = word & 0x1F800000 == 0x12800000 or word & 0x1F000000 == 0x10000000
        return [] if none or (rn == _SP and word & 0x1F000000 != 0x11000000) else [rn]
    extended = word & 0x1FE00000 == 0x0B200000
    return [register for register in (rn, rm) if register != _SP] + ([rn] if extended else [])


def _compute(word: int, state: State) -> None:
    """Apply moves, additions, selections; other instructions make their register unknown."""
    rd, wide = word & 31, word >> 31
    if word & 0x0E000000 == 0x0E000000:
        _vector(word, state)
    elif word & 0x1F800000 == 0x12800000:
        _move_wide(word, state)
    elif word & 0x1F800000 == 0x11000000:
        _add(word, state)
    elif word & 0x7FE0FFE0 == 0x2A0003E0:  # mov: orr with the zero register
        write_register(state, rd, read_register(state, word >> 16 & 31), wide)
    elif word & 0x7FE00800 == 0x1A800000:
        write_register(state, rd, _selected(word, state), wide)
    elif rd != _SP or word & 0x1FE00000 == 0x0B200000 or word & 0x1F800000 == 0x12000000:
        state[rd] = None  # sp too, by add and sub with a register, and by and


def _selected(word: int, state: State) -> Value:
    """Return the value of csel or csinc: one or the other (plus one)."""
    other = read_register(state, word >> 16 & 31)
    if word >> 10 & 1:
        other = apply_operation(other, make_numbers(1), operator.add, 8)
    return join_values(read_register(state, word >> 5 & 31), other)


def _vector(word: int, state: State) -> None:
    """Apply vector and floating point; some write a general register (fmov, umov)."""
    if word & 31 != _SP and (word >> 24 & 0x5F == 0x1E or word >> 24 & 0xBF == 0x0E):
        state[word & 31] = None


def _move_wide(word: int, state: State) -> None:
    """Apply movn, movz, movk."""
    rd, shift, wide = word & 31, 16 * (word >> 21 & 3), word >> 31
    part = (word >> 5 & 0xFFFF) << shift
    mask = (1 << 64) - 1 if wide else 0xFFFFFFFF
    kind = word >> 29 & 3
    if kind == 3:
        kept = apply_operation(
            read_register(state, rd), make_numbers(~(0xFFFF << shift) & mask), operator.and_, 8
        )
        write_register(state, rd, apply_operation(kept, make_numbers(part), operator.or_, 8), wide)
    else:
        write_register(state, rd, make_numbers((~part if kind == 0 else part) & mask), wide)


def _add(word: int, state: State) -> None:
    """Apply add or sub with an immediate; register 31 is the stack pointer here."""
    rd, rn, wide = word & 31, word >> 5 & 31, word >> 31
    by = (word >> 10 & 0xFFF) << (12 if word >> 22 & 1 else 0)
    operation = operator.sub if word >> 30 & 1 else operator.add
    value = apply_operation(state.get(rn), make_numbers(by), operation, 8 if wide else 4)
    sets_flags = word >> 29 & 1
    if rd != 31 or not sets_flags:
        state[rd] = value
