"""Paths through a decision graph, each with its conditions on the call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from seclatch.filter.classic_bpf import opcode
from seclatch.filter.symbolic.budget import BranchBudget
from seclatch.filter.symbolic.symbolic_execution import BranchNode, Node
from seclatch.filter.symbolic.term import U32, TermTest, TooComplexError, Value
from seclatch.filter.symbolic.word_set import FULL, WordSet

MAX_UNUSUAL = 32
"""Tests on one path that no set of words can express."""

Unusual = tuple[tuple[TermTest, bool], ...]
"""Tests with the outcome that each must have."""


@dataclass(frozen=True, slots=True)
class DecisionPath:
    """One path: the sets of words for which it is taken, and the value at its end.

    `unusual` are the tests that no set of words can express, with the outcome each must have.
    """

    domains: Mapping[int, WordSet]
    unusual: Unusual
    value: Value


def walk_paths(
    root: Node, start: Mapping[int, WordSet], budget: BranchBudget | None = None
) -> Iterator[DecisionPath]:
    """Yield every path through the graph for calls whose words are in `start`.

    Raises TooComplexError if there are too many.
    """
    budget = budget or BranchBudget()
    stack: list[tuple[Node, Mapping[int, WordSet], Unusual]] = [(root, start, ())]
    while stack:
        node, domains, unusual = stack.pop()
        budget.spend()
        if len(unusual) > MAX_UNUSUAL:
            raise TooComplexError("there are more paths than can be followed")
        if not isinstance(node, BranchNode):
            yield DecisionPath(domains, unusual, node.value)
            continue
        for side, holds in ((node.no, False), (node.yes, True)):
            step = _narrow(domains, unusual, node.test, holds)
            if step is not None:
                stack.append((side, *step))


def _narrow(
    domains: Mapping[int, WordSet], unusual: Unusual, test: TermTest, holds: bool
) -> tuple[Mapping[int, WordSet], Unusual] | None:
    """Return the conditions after a test with this outcome; None if it cannot have it."""
    term, operation, right = test
    ordered = term.mask == U32 or operation == opcode.JEQ
    if term.word is None or not isinstance(right, int) or not ordered:
        if (test, not holds) in unusual:
            return None
        return domains, unusual if (test, holds) in unusual else (*unusual, (test, holds))
    domain = domains.get(term.word, FULL).narrow(operation, term.mask, right, holds)
    return None if domain is None else ({**domains, term.word: domain}, unusual)
