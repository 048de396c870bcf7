"""Run a filter for a call of which only some words are known; the result is a decision graph.

With architecture and number known, most calls come down to one verdict. That makes big tables quick
(`evaluate_calls`), and the graph's paths are the rules of which the filter was made (`decompile`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from seclatch.filter.classic_bpf import opcode
from seclatch.filter.classic_bpf.opcode import ALU, DIV, JMP, LD, LDX, NEG, RET, ST, STX, X
from seclatch.filter.symbolic.budget import BranchBudget
from seclatch.filter.symbolic.compare_terms import compare_terms
from seclatch.filter.symbolic.term import U32, Term, TermFactory, TermTest, TooComplexError, Value
from seclatch.model.arch import Arch
from seclatch.model.filter import Filter
from seclatch.model.seccomp_data import ARCH, ARGS, DATA_SIZE, WORDS

MAX_STEPS = 500_000
"""Instructions to follow for one graph, before giving up on a program made to be hard."""


@dataclass(frozen=True, slots=True, eq=False)
class LeafNode:
    """The program returns this value."""

    value: Value


@dataclass(frozen=True, slots=True, eq=False)
class BranchNode:
    """The program continues with `yes` if the test holds, else with `no`."""

    test: TermTest
    yes: Node
    no: Node


Node = LeafNode | BranchNode


class _State(NamedTuple):
    """The next instruction, and the values of registers and memory."""

    at: int
    a: Value
    x: Value
    memory: tuple[Value, ...]


class _Fork(NamedTuple):
    """A comparison that the known words do not decide."""

    test: TermTest
    yes: _State
    no: _State


class DecisionGraphs:
    """Decision graphs of one program, for several sets of known words.

    Nodes are shared: a graph is as small as the differences in its return values allow.
    """

    def __init__(self, program: Filter, budget: BranchBudget | None = None) -> None:
        self._code = program.instructions
        self._budget = budget
        self._terms = TermFactory()
        self._leaves: dict[Value, LeafNode] = {}
        self._branches: dict[tuple[TermTest, int, int], BranchNode] = {}

    def graph(self, known: Mapping[int, int]) -> Node:
        """Return the graph for known words (index in `SeccompData.words` → value).

        Raises TooComplexError instead of running for ever. The kernel must accept the program.
        """
        return _GraphWalk(self, known).run()

    def leaf(self, value: Value) -> LeafNode:
        """Return the one leaf of this value."""
        return self._leaves.setdefault(value, LeafNode(value))

    def branch(self, test: TermTest, yes: Node, no: Node) -> Node:
        """Return the one branch of this kind, or the side itself if both sides are the same."""
        if yes is no:
            return yes
        return self._branches.setdefault((test, id(yes), id(no)), BranchNode(test, yes, no))


class _GraphWalk:
    """One walk through the program with some words known."""

    def __init__(self, graphs: DecisionGraphs, known: Mapping[int, int]) -> None:
        self._graphs = graphs
        self._code = graphs._code
        self._terms = graphs._terms
        self._known = known
        self._budget = graphs._budget or BranchBudget(MAX_STEPS)
        self._done: dict[_State, Node] = {}

    def run(self) -> Node:
        """Build the graph depth first with an explicit stack: comparisons may be 4096 deep."""
        start = _State(0, 0, 0, (0,) * opcode.MEMORY_WORDS)
        pending: list[tuple[_State, _Fork | None]] = [(start, None)]
        while pending:
            state, fork = pending.pop()
            if fork is not None:
                sides = self._done[fork.yes], self._done[fork.no]
                self._done[state] = self._graphs.branch(fork.test, *sides)
            elif state not in self._done:
                found = self._follow(state)
                if isinstance(found, _Fork):
                    pending += [(state, found), (found.no, None), (found.yes, None)]
                else:
                    self._done[state] = found
        return self._done[start]

    def _follow(self, state: _State) -> LeafNode | _Fork:
        """Run to the next return or undecided comparison."""
        while True:
            self._budget.spend()
            code, _, _, k = self._code[state.at]
            kind = code & 7
            if kind == RET:
                return self._graphs.leaf(k if code == opcode.RET_K else state.a)
            step: _State | _Fork | LeafNode
            if kind == JMP:
                step = self._jump(state)
            elif kind == ALU:
                step = self._compute(state)
            else:
                step = self._move(state, code, k)
            if not isinstance(step, _State):
                return step
            state = step

    def _jump(self, state: _State) -> _State | _Fork:
        code, jt, jf, k = self._code[state.at]
        after = state.at + 1
        if code == JMP | opcode.JA or jt == jf:
            return state._replace(at=after + (k if code == JMP | opcode.JA else jt))
        yes, no = state._replace(at=after + jt), state._replace(at=after + jf)
        decided = compare_terms(self._terms, code & 0xF0, state.a, state.x if code & X else k)
        if isinstance(decided, bool):
            return yes if decided else no
        test, straight = decided
        return _Fork(test, yes, no) if straight else _Fork(test, no, yes)

    def _compute(self, state: _State) -> _State | LeafNode:
        code, _, _, k = self._code[state.at]
        operation = code & 0xF0
        right: Value = 0 if operation == NEG else state.x if code & X else k
        if operation == DIV and code & X:
            if right == 0:
                return self._graphs.leaf(0)
            if isinstance(right, Term):
                raise TooComplexError("a division by a part of the call")
        value = self._terms.operate(operation, state.a, right)
        return state._replace(at=state.at + 1, a=value)

    def _move(self, state: _State, code: int, k: int) -> _State:
        after = state._replace(at=state.at + 1)
        kind = code & 7
        if kind == LD:
            return after._replace(a=self._load(state, code, k))
        if kind == LDX:
            return after._replace(x=self._load(state, code, k))
        if kind in (ST, STX):
            memory = list(state.memory)
            memory[k] = state.a if kind == ST else state.x
            return after._replace(memory=tuple(memory))
        return after._replace(x=state.a) if code == opcode.TAX else after._replace(a=state.x)

    def _load(self, state: _State, code: int, k: int) -> Value:
        mode = code & 0xE0
        if mode == opcode.ABS:
            known = self._known.get(k // 4)
            return self._terms.word(k // 4) if known is None else known
        if mode == opcode.MEM:
            return state.memory[k]
        return k if mode == opcode.IMM else DATA_SIZE


def find_fixed_words(arch: Arch) -> dict[int, int]:
    """Return the words of a call that its ABI fixes: the kernel extends 32-bit arguments by zeros.

    (x32's are 64-bit registers.)
    """
    known = {ARCH: arch.audit}
    if arch.bits == 32 and arch is not Arch.X32:
        known |= {word + int(arch.little): 0 for word in range(ARGS, WORDS, 2)}
    return known


def descend_graph(node: Node, word: int, value: int) -> Node:
    """Follow the tests of one word, now known, as far as they lead from the root."""
    while isinstance(node, BranchNode):
        term, operation, right = node.test
        if term.word != word or not isinstance(right, int):
            break
        holds = opcode.COMPARISON[operation](value & U32 & term.mask, right)
        node = node.yes if holds else node.no
    return node
