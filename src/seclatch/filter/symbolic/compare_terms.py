"""Comparisons of unknown values: decided where possible, else a test in its simplest form."""

from __future__ import annotations

from seclatch.filter.classic_bpf import opcode
from seclatch.filter.symbolic.term import U32, Term, TermFactory, TermTest, Value

Decision = tuple[TermTest, bool]
"""The test that decides a comparison, and whether it must hold or fail."""


def compare_terms(terms: TermFactory, operation: int, left: Value, right: Value) -> bool | Decision:
    """Return the outcome, or the test that decides it and whether it must hold or fail."""
    if isinstance(left, int):
        if isinstance(right, int):
            return opcode.COMPARISON[operation](left, right)
        # constant > term is not(term >= constant), constant >= term is not(term > constant)
        swapped = {opcode.JGT: opcode.JGE, opcode.JGE: opcode.JGT}.get(operation, operation)
        decided = _test(terms, swapped, right, left)
        if swapped == operation or isinstance(decided, bool):
            return decided if swapped == operation else not decided
        return decided[0], not decided[1]
    return _test(terms, operation, left, right)


def _test(terms: TermFactory, operation: int, term: Term, right: Value) -> bool | Decision:
    if operation == opcode.JSET and isinstance(right, int):
        bits = terms.operate(opcode.AND, term, right)
        if isinstance(bits, int):
            return bits != 0
        return TermTest(bits, opcode.JEQ, 0), False
    if isinstance(right, int) and term.word is not None:
        decided = _decided(operation, term.mask, right)
        if decided is not None:
            return decided
        if operation != opcode.JEQ and term.mask != U32:
            return _ordered(operation, term, right)
    return TermTest(term, operation, right), True


def _decided(operation: int, mask: int, right: int) -> bool | None:
    """Decide comparisons that have the same outcome for every value of `word & mask`."""
    if operation == opcode.JEQ:
        return False if right & ~mask & U32 else None
    if operation == opcode.JGT:
        return False if right >= mask else None
    if right == 0:
        return True
    return False if right > mask else None


def _ordered(operation: int, term: Term, right: int) -> Decision:
    """Turn an order of a masked word into an equality where only one value is on one side.

    `(word & 4) >= 1` is `(word & 4) != 0`. Decided comparisons do not occur here.
    """
    least = _next_part(term.mask, right if operation == opcode.JGE else right + 1)
    if least == term.mask:
        return TermTest(term, opcode.JEQ, least), True
    if least == term.mask & -term.mask:
        return TermTest(term, opcode.JEQ, 0), False
    return TermTest(term, operation, right), True


def _next_part(mask: int, least: int) -> int:
    """Return the least number not below `least` whose bits are all in `mask`; there is one."""
    outside = least & ~mask
    if outside:  # carry over everything below the highest bit that the mask lacks
        least = ((least | ((1 << outside.bit_length()) - 1) | ~mask & U32) + 1) & mask
    return least
