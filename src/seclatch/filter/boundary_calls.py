"""Calls at the boundaries of a filter's comparisons: a full table to compare filters by."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from itertools import product
from math import prod

from seclatch.filter.call_table import list_unnamed_numbers
from seclatch.filter.symbolic.symbolic_execution import (
    BranchNode,
    DecisionGraphs,
    Node,
    descend_graph,
)
from seclatch.filter.symbolic.term import U32, TermTest, TooComplexError
from seclatch.model.arch import Arch
from seclatch.model.filter import Filter
from seclatch.model.seccomp_data import ARCH, ARGS, MAX_ARGS, NUMBER, SeccompData
from seclatch.model.syscall import load_syscalls

MAX_COMBINATIONS = 5000
"""Rows for one call. Where there are more combinations, a fixed sample is taken."""

_USUAL_LOW = (0, 1, 0x7FFFFFFF, 0x80000000, U32)
_USUAL_HIGH = (0, 1, U32)


def list_boundary_calls(
    program: Filter,
    arch: Arch,
    numbers: Iterable[int] | None = None,
    limit: int = MAX_COMBINATIONS,
) -> Iterator[SeccompData]:
    """Yield every named call of an architecture, and the ends of the gaps between their numbers.

    Or the calls of the given numbers only; `limit` is for the combinations of one call.

    Each with the usual extreme arguments one at a time, and all combinations of the values at which
    the program decides (and their neighbours). On 32-bit ABIs the upper halves are 0, except on
    x32, whose arguments are passed in 64-bit registers.
    """
    root = _find_root(program, arch)
    if numbers is None:
        edges = {number for ends in list_unnamed_numbers(arch) for number in ends}
        numbers = sorted(edges | load_syscalls(arch).names.keys())
    for number in numbers:
        tests = _collect_tests(descend_graph(root, NUMBER, number)) if root else set()
        for args in _make_rows(tests, arch, limit):
            yield SeccompData(arch.audit, number, args)


def _find_root(program: Filter, arch: Arch) -> Node | None:
    try:
        return DecisionGraphs(program).graph({ARCH: arch.audit})
    except TooComplexError:
        return None  # use the usual values only


def _collect_tests(root: Node) -> set[TermTest]:
    """Return every test in a graph."""
    seen = {id(root)}
    pending = [root]
    tests = set()
    while pending:
        node = pending.pop()
        if isinstance(node, BranchNode):
            tests.add(node.test)
            sides = [side for side in (node.yes, node.no) if id(side) not in seen]
            seen.update(map(id, sides))
            pending += sides
    return tests


def _make_rows(tests: set[TermTest], arch: Arch, limit: int) -> Iterator[tuple[int, ...]]:
    wide = arch.bits == 64 or arch is Arch.X32
    usual = _join(set(_USUAL_LOW), set(_USUAL_HIGH) if wide else {0})
    yield (0,) * MAX_ARGS
    for index in range(MAX_ARGS):
        for value in usual - {0}:
            yield tuple(value if n == index else 0 for n in range(MAX_ARGS))
    tested = {test.term.word for test in tests if test.term.word is not None}
    choices = [
        _list_boundaries(tests, index, arch, wide) if _find_halves(index) & tested else (0,)
        for index in range(MAX_ARGS)
    ]
    if prod(map(len, choices)) <= limit:
        yield from product(*choices)
    else:
        fixed = random.Random(0)  # noqa: S311
        for _ in range(limit):
            yield tuple(map(fixed.choice, choices))


def _find_halves(index: int) -> set[int]:
    return {ARGS + 2 * index, ARGS + 2 * index + 1}


def _list_boundaries(tests: set[TermTest], index: int, arch: Arch, wide: bool) -> tuple[int, ...]:
    first, second = sorted(_find_halves(index))
    low, high = (first, second) if arch.little else (second, first)
    lows = _list_near_values(tests, low) or {0, U32}
    return tuple(sorted(_join(lows, _list_near_values(tests, high) | {0} if wide else {0})))


def _list_near_values(tests: set[TermTest], word: int) -> set[int]:
    """Return the values at which a word's tests change, and their neighbours."""
    values = set()
    for term, _, right in tests:
        if term.word == word and isinstance(right, int):
            values |= {right - 1, right, right + 1, right | ~term.mask, right ^ term.mask}
    return {value & U32 for value in values}


def _join(lows: set[int], highs: set[int]) -> set[int]:
    return {high << 32 | low for high in highs for low in lows}
