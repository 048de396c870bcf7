"""Evaluate many calls at once: the program is followed once, not once for each call."""

from __future__ import annotations

from seclatch.filter.classic_bpf.simulate import simulate_filter
from seclatch.filter.symbolic.symbolic_execution import (
    BranchNode,
    DecisionGraphs,
    LeafNode,
    Node,
    descend_graph,
)
from seclatch.filter.symbolic.term import TooComplexError, evaluate_value
from seclatch.model.filter import Filter
from seclatch.model.seccomp_data import ARCH, NUMBER, SeccompData

_U32 = 0xFFFFFFFF


class CallEvaluator:
    """Returns `simulate_filter(program, call).value`, quickly for many calls of the same numbers.

    Caches a graph for each architecture and number: use it for a table, not for unbounded input.
    The program must be one that the kernel accepts (`verify`).
    """

    def __init__(self, program: Filter) -> None:
        self._program = program
        self._graphs = DecisionGraphs(program)
        self._by_arch: dict[int, Node | None] = {}
        self._by_number: dict[tuple[int, int], Node | None] = {}

    def value(self, call: SeccompData) -> int:
        """Return the filter's return value for a call."""
        key = (call.audit, call.number)
        node = self._by_number[key] if key in self._by_number else self._descend(*key)
        if isinstance(node, LeafNode) and isinstance(node.value, int):
            return node.value
        if node is None:
            return simulate_filter(self._program, call).value
        words = call.words(self._program.byteorder)
        while isinstance(node, BranchNode):
            node = node.yes if node.test.holds(words) else node.no
        return evaluate_value(node.value, words)

    def _descend(self, audit: int, number: int) -> Node | None:
        """Return the graph that remains when the number is known, too."""
        if audit not in self._by_arch:
            self._by_arch[audit] = self._graph(audit)
        node = self._by_arch[audit]
        if node is not None:
            node = descend_graph(node, NUMBER, number)
        self._by_number[audit, number] = node
        return node

    def _graph(self, audit: int) -> Node | None:
        try:
            return self._graphs.graph({ARCH: audit & _U32})
        except TooComplexError:
            return None  # every row is interpreted on its own
