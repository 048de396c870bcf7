"""Query a filter for a call of which some arguments are left open."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from seclatch.errors import SeclatchError
from seclatch.filter.call_cases import find_cases, format_action
from seclatch.filter.symbolic.decision_paths import DecisionPath, walk_paths
from seclatch.filter.symbolic.symbolic_execution import DecisionGraphs, Node, descend_graph
from seclatch.filter.symbolic.term import TooComplexError
from seclatch.filter.symbolic.word_set import WordSet
from seclatch.model.arch import Arch
from seclatch.model.call_notation import AskedCall
from seclatch.model.filter import Filter
from seclatch.model.seccomp_data import ARCH, ARGS, NUMBER

_U32 = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class QueryAnswer:
    """An action as text, and the condition on the open arguments ("" if any will do)."""

    action: str
    condition: str


def query_filter(program: Filter, asked: AskedCall) -> list[QueryAnswer]:
    """Return the possible answers: one, if the open arguments make no difference.

    Raises SeclatchError where they cannot be distinguished. The kernel must accept the program.
    """
    arch = asked.syscall.arch
    known = {ARCH: arch.audit, NUMBER: asked.syscall.number, **_list_given_words(asked)}
    try:
        return _make_answers(walk_paths(DecisionGraphs(program).graph(known), {}), arch)
    except TooComplexError as problem:
        doing = f"simulating {asked.text}: {problem}"
        raise SeclatchError(doing, remedy="give all six arguments", status=2) from problem


class FilterQuery:
    """Answers as `query_filter`, for many calls: follows the program once for each architecture."""

    def __init__(self, program: Filter) -> None:
        self._program = program
        self._graphs = DecisionGraphs(program)
        self._roots: dict[Arch, Node | None] = {}

    def ask(self, asked: AskedCall) -> list[QueryAnswer]:
        """Return the possible answers. Raises SeclatchError."""
        arch = asked.syscall.arch
        if arch not in self._roots:
            self._roots[arch] = self._follow(arch)
        root = self._roots[arch]
        if root is not None:
            given = _list_given_words(asked)
            start = {word: WordSet(((value, value),)) for word, value in given.items()}
            node = descend_graph(root, NUMBER, asked.syscall.number)
            try:
                paths = list(walk_paths(node, start))
            except TooComplexError:
                return query_filter(self._program, asked)
            if not any(path.unusual or not isinstance(path.value, int) for path in paths):
                return _make_answers((_drop_given(path, given) for path in paths), arch)
        return query_filter(self._program, asked)

    def _follow(self, arch: Arch) -> Node | None:
        try:
            return self._graphs.graph({ARCH: arch.audit})
        except TooComplexError:
            return None


def _list_given_words(asked: AskedCall) -> dict[int, int]:
    """Return the words of the call that are given."""
    arch, known = asked.syscall.arch, {}
    for index, value in enumerate(asked.args):
        if value is not None:
            low, high = ARGS + 2 * index, ARGS + 2 * index + 1
            known[low if arch.little else high] = value & _U32
            known[high if arch.little else low] = value >> 32 if arch.bits == 64 else 0
    return known


def _drop_given(path: DecisionPath, given: dict[int, int]) -> DecisionPath:
    """Drop a path's conditions on words that are given."""
    return replace(path, domains={w: d for w, d in path.domains.items() if w not in given})


def _make_answers(paths: Iterable[DecisionPath], arch: Arch) -> list[QueryAnswer]:
    cases, lost = find_cases(paths, arch, None)
    conditions: dict[str, list[str]] = {}
    for case in cases:
        shown = " and ".join(map(str, case.args))
        conditions.setdefault(format_action(case.action), []).append(shown)
    for one in lost:
        conditions.setdefault(one.verdict, []).append(one.condition)
    return [QueryAnswer(action, " or ".join(some)) for action, some in conditions.items()]
