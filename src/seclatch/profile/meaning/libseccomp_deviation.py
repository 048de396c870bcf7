"""Where a program that libseccomp has made of rules answers otherwise than they say.

libseccomp merges the rules for a call into one tree, and up to 2.6.1 at least goes wrong in some:
two bounds of one argument, or the same comparison on two ABIs of which one has other things in the
accumulator. Each call is followed through its program and through a plain one, rule by rule.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple

from seclatch.filter.boundary_calls import list_boundary_calls
from seclatch.filter.call_cases import normalize_action
from seclatch.filter.classic_bpf.opcode import JEQ, JGE, JGT
from seclatch.filter.diff_filters import diff_filters
from seclatch.filter.evaluate_calls import CallEvaluator
from seclatch.filter.symbolic.budget import BranchBudget
from seclatch.filter.symbolic.symbolic_execution import (
    BranchNode,
    DecisionGraphs,
    LeafNode,
    Node,
    descend_graph,
    find_fixed_words,
)
from seclatch.filter.symbolic.term import TermFactory, TermTest, TooComplexError, evaluate_value
from seclatch.model.action import Action, Operator
from seclatch.model.arch import Arch
from seclatch.model.filter import Filter
from seclatch.model.profile.profile import Arg, Profile
from seclatch.model.seccomp_data import ARGS, NUMBER, SeccompData
from seclatch.model.syscall import Syscall, load_syscalls
from seclatch.profile.meaning import rule_comparison
from seclatch.profile.meaning.clause import Clause, list_edge_points, list_overlaps
from seclatch.profile.meaning.rule_meaning import read_meaning

MAX_STEPS = 60_000
"""Branches to follow for all calls of a profile. Docker's default has about 100."""

MAX_CALLS = 4000
"""Calls to try, of all that a program is not followed for."""

MAX_POINTS = 64
"""Those of one call at most that are on both sides of what its rules compare."""

_U32 = 0xFFFFFFFF


class CallDeviation(NamedTuple):
    """A call with arguments for which the rules say one thing and the program does another."""

    call: Syscall
    args: tuple[int, ...]
    said: Action
    made: Action


def find_deviations(profile: Profile, native: Arch, program: Filter) -> Iterator[CallDeviation]:
    """One for each call with conditions that the program gets wrong, on each ABI.

    Nothing of overlapping conditions, between which it is libseccomp's to choose. `program` has
    been made on a host of architecture `native`.
    """
    search = _DeviationSearch(program)
    for arch in dict.fromkeys((native, *profile.architectures)):
        meaning = read_meaning(profile, native, arch.bits)
        for name, clauses in meaning.calls.items():
            call = load_syscalls(arch).get(name)
            if call and clauses[0].args and not next(list_overlaps(clauses, arch.bits), None):
                yield from itertools.islice(search.of(call, clauses, meaning.default), 1)


class _DeviationSearch:
    """Through one program: exactly, or at its edges where it computes what no rule asks for."""

    def __init__(self, program: Filter) -> None:
        self._program = program
        self._graphs, self._judge = DecisionGraphs(program), CallEvaluator(program)
        self._steps, self._calls = BranchBudget(MAX_STEPS), BranchBudget(MAX_CALLS)
        self._roots: dict[Arch, Node] = {}

    def of(
        self, call: Syscall, clauses: Sequence[Clause], default: Action
    ) -> Iterator[CallDeviation]:
        """Return one deviation for all ABIs, one for each, or none."""
        said = ReferenceGraph(call.arch).node(clauses, default)
        try:
            found = diff_filters(said, self._node(call), call.arch, self._steps)
        except TooComplexError:
            with suppress(TooComplexError):
                yield from self._at_edges(call, said, clauses)
            return
        for pair, args in found.items():
            yield CallDeviation(call, args, *pair)

    def _node(self, call: Syscall) -> Node:
        if call.arch not in self._roots:
            self._roots[call.arch] = self._graphs.graph(find_fixed_words(call.arch))
        return descend_graph(self._roots[call.arch], NUMBER, call.number)

    def _at_edges(
        self, call: Syscall, said: Node, clauses: Sequence[Clause]
    ) -> Iterator[CallDeviation]:
        """At those of the program, and of what the rules compare."""
        last = (1 << call.arch.bits) - 1
        ours = (tuple(value & last for value in values) for values in list_edge_points(clauses))
        theirs = (
            each.args for each in list_boundary_calls(self._program, call.arch, [call.number])
        )
        for args in itertools.chain(itertools.islice(ours, MAX_POINTS), theirs):
            self._calls.spend()
            each = SeccompData(call.arch.audit, call.number, args)
            node, words = said, each.words("little" if call.arch.little else "big")
            while isinstance(node, BranchNode):
                node = node.yes if node.test.holds(words) else node.no
            pair = [
                normalize_action(evaluate_value(v, words))
                for v in (node.value, self._judge.value(each))
            ]
            if pair[0] != pair[1]:
                yield CallDeviation(call, args, *pair)


class ReferenceGraph:
    """What rules say, as a decision graph for an ABI: one rule after the other, nothing merged."""

    def __init__(self, arch: Arch) -> None:
        self._arch = arch
        self._terms = TermFactory()

    def node(self, clauses: Sequence[Clause], default: Action) -> Node:
        """Return the graph of a call's clauses: the first that matches decides."""
        node: Node = LeafNode(default.ret)
        for clause in reversed(clauses):
            yes: Node = LeafNode(clause.action.ret)
            for arg in clause.args:
                yes = self._compare(rule_comparison.fit_width(arg, self._arch.bits), yes, node)
            node = yes
        return node

    def _compare(self, arg: Arg, yes: Node, no: Node) -> Node:
        """Go to `yes` where the comparison holds: of both halves, the upper one first."""
        operator = arg.operator
        if operator in _NEGATED:
            return self._compare(replace(arg, operator=_NEGATED[operator]), no, yes)
        if operator in (Operator.EQ, Operator.MASKED_EQ):
            low = self._branch(arg, JEQ, yes, no)
            return self._branch(arg, JEQ, low, no, 32)
        low = self._branch(arg, JGT if operator is Operator.GT else JGE, yes, no)
        equal = self._branch(arg, JEQ, low, no, 32)
        return self._branch(arg, JGT, yes, equal, 32)

    def _branch(self, arg: Arg, operation: int, yes: Node, no: Node, shift: int = 0) -> Node:
        """One test of half an argument; 32-bit ABIs have no upper half, which then is 0."""
        masked = arg.operator is Operator.MASKED_EQ
        mask = (arg.value if masked else rule_comparison.MAX) >> shift & _U32
        right = (arg.value_two if masked else arg.value) >> shift & _U32
        second = (shift > 0) == self._arch.little
        term = self._terms.word(ARGS + 2 * arg.index + second, mask)
        if isinstance(term, int) or (shift and self._arch.bits == 32):
            return yes if operation == JEQ else no
        return BranchNode(TermTest(term, operation, right), yes, no)


_NEGATED = {
    Operator.NE: Operator.EQ,
    Operator.LT: Operator.GE,
    Operator.LE: Operator.GT,
}
