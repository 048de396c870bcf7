"""The ways through a decision graph, each with what it asks of the call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from seclatch.filter import opcode
from seclatch.filter.budget import BranchBudget
from seclatch.filter.symbolic_execution import BranchNode, Node
from seclatch.filter.term import U32, TermTest, TooComplexError, Value
from seclatch.filter.word_set import FULL, WordSet

MAX_UNUSUAL = 32
"""Tests on one way that no set of words can say."""

Unusual = tuple[tuple[TermTest, bool], ...]
"""Tests with the outcome that each must have."""


@dataclass(frozen=True, slots=True)
class DecisionPath:
    """One way: the words of the call it is for, tests that are about more than one word, the end.

    `unusual` are the tests that no set of words can say, with the outcome each must have.
    """

    domains: Mapping[int, WordSet]
    unusual: Unusual
    value: Value


def walk_paths(
    root: Node, start: Mapping[int, WordSet], budget: BranchBudget | None = None
) -> Iterator[DecisionPath]:
    """Every way through the graph for calls whose words are in `start`.

    Raises TooComplexError when there are too many.
    """
    budget = budget or BranchBudget()
    stack: list[tuple[Node, Mapping[int, WordSet], Unusual]] = [(root, start, ())]
    while stack:
        node, domains, unusual = stack.pop()
        budget.spend()
        if len(unusual) > MAX_UNUSUAL:
            raise TooComplexError("there are more ways through than can be followed")
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
    """What is asked for after a test came out so; None if it cannot."""
    term, operation, right = test
    ordered = term.mask == U32 or operation == opcode.JEQ
    if term.word is None or not isinstance(right, int) or not ordered:
        if (test, not holds) in unusual:
            return None
        return domains, unusual if (test, holds) in unusual else (*unusual, (test, holds))
    domain = domains.get(term.word, FULL).narrow(operation, term.mask, right, holds)
    return None if domain is None else ({**domains, term.word: domain}, unusual)
