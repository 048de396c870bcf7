"""Abstract values of a register or stack word: a small set of numbers and names, or anything.

Names stand for what a function was given by its caller:

    ("in", r)          the value of register r at the function's entry
    ("stack", n)       the word n bytes above the stack pointer at entry
    ("memory", r, n)   the word n bytes after where register r pointed at entry
    ("frame", a, n)    the address n bytes from the stack pointer at entry (a = 0), or from where
                       the instruction at address a has aligned it
    ("address", a)     the address a of the file; only where these are asked for (dataflow)
"""

from __future__ import annotations

import operator
from collections.abc import Callable

Atom = int | tuple[str, int] | tuple[str, int, int]
Value = frozenset[Atom] | None
"""None: anything."""

Key = int | tuple[str, int, int]
State = dict[Key, Value]
"""Registers by number, stack words by ("frame", a, n), and the notes of `stack_words`.

("part", r, n) are the low n bytes of a register of which no more is known. What is absent is
anything.
"""

MOST = 40
"""A larger set is anything: loops that count would not terminate otherwise."""

ENTRY = ("frame", 0, 0)


def make_numbers(*values: int) -> Value:
    """Return the set of these numbers."""
    return frozenset(values)


def join_values(a: Value, b: Value) -> Value:
    """Return the value that is one or the other."""
    if a is None or b is None:
        return None
    return bound_value(a if a == b else a | b)


def bound_value(value: Value) -> Value:
    """Return the value, or anything if the set is too large."""
    return value if value is not None and len(value) <= MOST else None


def apply_operation(a: Value, b: Value, operation: Callable[[int, int], int], width: int) -> Value:
    """Apply an operation to numbers of `width` bytes; addresses move by numbers."""
    if a is None or b is None or len(a) * len(b) > MOST * MOST:
        return None
    mask = (1 << (8 * width)) - 1
    result: set[Atom] = set()
    for left in a:
        for right in b:
            if isinstance(left, int) and isinstance(right, int):
                result.add(operation(left, right) & mask)
            elif (
                isinstance(left, tuple)
                and left[0] == "frame"
                and isinstance(right, int)
                and operation in (operator.add, operator.sub)
            ):
                result.add(move_address(left, operation(0, to_signed(right))))
            elif (
                isinstance(left, tuple)
                and left[0] == "address"
                and isinstance(right, int)
                and operation in (operator.add, operator.sub)
            ):
                result.add(("address", operation(left[1], to_signed(right))))
            else:
                return None
    return bound_value(frozenset(result))


def move_address(frame: tuple[str, int] | tuple[str, int, int], by: int) -> tuple[str, int, int]:
    """Return an address in the frame, some bytes further."""
    offset = frame[2] if len(frame) == 3 else 0
    return ("frame", frame[1], offset + by)


def to_signed(word: int) -> int:
    """Return a 64-bit word as a signed offset."""
    word &= (1 << 64) - 1
    return word - (1 << 64) if word >> 63 else word


def find_frame_address(value: Value) -> tuple[str, int, int] | None:
    """Return the one address in the frame that a value is, or None."""
    if value is None or len(value) != 1:
        return None
    (atom,) = value
    if isinstance(atom, tuple) and len(atom) == 3 and atom[0] == "frame":
        return atom
    return None


def may_be_address(value: Value) -> bool:
    """Return whether it may be an address in the frame."""
    return value is not None and any(isinstance(a, tuple) and a[0] == "frame" for a in value)
