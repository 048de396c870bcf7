"""What a filter answers to a call of which some arguments are left open."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from seclatch.errors import SeclatchError
from seclatch.filter.call_cases import cases_of, show_action
from seclatch.filter.decision_paths import Path, paths
from seclatch.filter.symbolic_execution import Graphs, Node, descend
from seclatch.filter.term import TooComplexError
from seclatch.filter.word_set import Domain
from seclatch.model.arch import Arch
from seclatch.model.call_notation import AskedCall
from seclatch.model.filter import Filter
from seclatch.model.seccomp_data import ARCH, ARGS, NUMBER

_U32 = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Answer:
    """An action in words, and what the open arguments must be for it ("" if anything will do)."""

    action: str
    condition: str


def ask(program: Filter, asked: AskedCall) -> list[Answer]:
    """The answers that are possible: one, if what is open makes no difference.

    Raises SeclatchError where they cannot be told apart. The program must be an accepted one.
    """
    arch = asked.syscall.arch
    known = {ARCH: arch.audit, NUMBER: asked.syscall.number, **_arguments(asked)}
    try:
        return _answers(paths(Graphs(program).graph(known), {}), arch)
    except TooComplexError as problem:
        doing = f"simulating {asked.text}: {problem}"
        raise SeclatchError(doing, remedy="give all six arguments", status=2) from problem


class Asker:
    """Answers as `ask`, for many calls: the program is followed once for each architecture."""

    def __init__(self, program: Filter) -> None:
        self._program = program
        self._graphs = Graphs(program)
        self._roots: dict[Arch, Node | None] = {}

    def ask(self, asked: AskedCall) -> list[Answer]:
        """The answers that are possible. Raises SeclatchError."""
        arch = asked.syscall.arch
        if arch not in self._roots:
            self._roots[arch] = self._follow(arch)
        root = self._roots[arch]
        if root is not None:
            given = _arguments(asked)
            start = {word: Domain(((value, value),)) for word, value in given.items()}
            node = descend(root, NUMBER, asked.syscall.number)
            try:
                ways = list(paths(node, start))
            except TooComplexError:
                return ask(self._program, asked)
            if not any(way.unusual or not isinstance(way.value, int) for way in ways):
                return _answers((_without(way, given) for way in ways), arch)
        return ask(self._program, asked)

    def _follow(self, arch: Arch) -> Node | None:
        try:
            return self._graphs.graph({ARCH: arch.audit})
        except TooComplexError:
            return None


def _arguments(asked: AskedCall) -> dict[int, int]:
    """The words of the call that are given."""
    arch, known = asked.syscall.arch, {}
    for index, value in enumerate(asked.args):
        if value is not None:
            low, high = ARGS + 2 * index, ARGS + 2 * index + 1
            known[low if arch.little else high] = value & _U32
            known[high if arch.little else low] = value >> 32 if arch.bits == 64 else 0
    return known


def _without(way: Path, given: dict[int, int]) -> Path:
    """A way less what it says of words that are given."""
    return replace(way, domains={w: d for w, d in way.domains.items() if w not in given})


def _answers(ways: Iterable[Path], arch: Arch) -> list[Answer]:
    cases, lost = cases_of(ways, arch, None)
    conditions: dict[str, list[str]] = {}
    for case in cases:
        shown = " and ".join(map(str, case.args))
        conditions.setdefault(show_action(case.action), []).append(shown)
    for one in lost:
        conditions.setdefault(one.verdict, []).append(one.condition)
    return [Answer(action, " or ".join(some)) for action, some in conditions.items()]
