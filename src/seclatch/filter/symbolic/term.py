"""Symbolic values that a filter computes from an unknown call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from seclatch.filter.classic_bpf import opcode

U32 = 0xFFFFFFFF

MAX_SIZE = 64
"""Operations in one term. No compiler of filters emits more than three."""


class TooComplexError(Exception):
    """The program has more paths, or longer computations, than are worth following."""


class Term:
    """`word` of seccomp_data and-ed with `mask`; or, if `word` is None, an operation on two values.

    `TermFactory` makes each term once, so that identity is equality.
    """

    __slots__ = ("left", "mask", "operation", "right", "size", "word")

    def __init__(
        self, word: int | None, mask: int, operation: int, left: Value, right: Value
    ) -> None:
        self.word = word
        self.mask = mask
        self.operation = operation
        self.left = left
        self.right = right
        self.size = 1 + _size(left) + _size(right)

    def evaluate(self, words: Sequence[int]) -> int:
        """Return the value for a call (`SeccompData.words`)."""
        if self.word is not None:
            return words[self.word] & self.mask
        left, right = evaluate_value(self.left, words), evaluate_value(self.right, words)
        return opcode.ARITHMETIC[self.operation](left, right)


Value = int | Term
"""A constant or a term."""


class TermTest(NamedTuple):
    """A comparison that decides a branch: `term operation right` (JEQ, JGT, JGE or JSET)."""

    term: Term
    operation: int
    right: Value

    def holds(self, words: Sequence[int]) -> bool:
        """Return whether the comparison holds for a call."""
        left, right = self.term.evaluate(words), evaluate_value(self.right, words)
        return opcode.COMPARISON[self.operation](left, right)


class TermFactory:
    """Makes terms, each only once; folds constants and masks."""

    def __init__(self) -> None:
        self._made: dict[tuple[object, ...], Term] = {}

    def word(self, word: int, mask: int = U32) -> Value:
        """Return a word of seccomp_data, or some of its bits."""
        if mask == 0:
            return 0
        return self._make(word, mask, opcode.AND, 0, 0)

    def operate(self, operation: int, left: Value, right: Value) -> Value:
        """Return `left operation right`. The caller prevents a division by the constant 0."""
        if isinstance(left, int) and isinstance(right, int):
            return opcode.ARITHMETIC[operation](left, right)
        if operation == opcode.AND:
            masked = self._mask(left, right)
            if masked is not None:
                return masked
        return self._make(None, 0, operation, left, right)

    def _mask(self, left: Value, right: Value) -> Value | None:
        if isinstance(left, int):
            left, right = right, left
        if isinstance(left, Term) and left.word is not None and isinstance(right, int):
            return self.word(left.word, left.mask & right)
        return None

    def _make(self, word: int | None, mask: int, operation: int, left: Value, right: Value) -> Term:
        key = (word, mask, operation, left, right)
        term = self._made.get(key)
        if term is None:
            term = self._made[key] = Term(word, mask, operation, left, right)
            if term.size > MAX_SIZE:
                raise TooComplexError("a value is computed in more steps than can be followed")
        return term


def evaluate_value(value: Value, words: Sequence[int]) -> int:
    """Return the value for a call."""
    return value if isinstance(value, int) else value.evaluate(words)


def _size(value: Value) -> int:
    return 0 if isinstance(value, int) else value.size
