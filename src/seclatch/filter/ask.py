"""What a filter answers to a call of which some arguments are left open."""

from __future__ import annotations

from dataclasses import dataclass

from seclatch.errors import SeclatchError
from seclatch.filter.cases import cases_of, show_action
from seclatch.filter.paths import paths
from seclatch.filter.symbolic import Graphs
from seclatch.filter.term import TooComplexError
from seclatch.model.call import ARCH, ARGS, NUMBER
from seclatch.model.filter import Filter
from seclatch.model.notation import Asked

_U32 = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Answer:
    """An action in words, and what the open arguments must be for it ("" if anything will do)."""

    action: str
    condition: str


def ask(program: Filter, asked: Asked) -> list[Answer]:
    """The answers that are possible: one, if what is open makes no difference.

    Raises SeclatchError where they cannot be told apart. The program must be an accepted one.
    """
    arch = asked.syscall.arch
    known = {ARCH: arch.audit, NUMBER: asked.syscall.number}
    for index, value in enumerate(asked.args):
        if value is not None:
            low, high = ARGS + 2 * index, ARGS + 2 * index + 1
            known[low if arch.little else high] = value & _U32
            known[high if arch.little else low] = value >> 32 if arch.bits == 64 else 0
    try:
        cases, lost = cases_of(paths(Graphs(program).graph(known), {}), arch, None)
    except TooComplexError as problem:
        doing = f"simulating {asked.text}: {problem}"
        raise SeclatchError(doing, remedy="give all six arguments", status=2) from problem
    conditions: dict[str, list[str]] = {}
    for case in cases:
        shown = " and ".join(map(str, case.args))
        conditions.setdefault(show_action(case.action), []).append(shown)
    for one in lost:
        conditions.setdefault(one.verdict, []).append(one.condition)
    return [Answer(action, " or ".join(ways)) for action, ways in conditions.items()]
