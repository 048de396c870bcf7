"""The verdicts of a filter on one call: an action for each set of arguments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice, product

from seclatch.filter.argument_box import MAX_PIECES, ArgumentValues, InexpressibleError, join_halves
from seclatch.filter.symbolic.budget import BranchBudget
from seclatch.filter.symbolic.decision_paths import DecisionPath, Unusual
from seclatch.filter.symbolic.term import TooComplexError, Value
from seclatch.filter.symbolic.term_text import format_test, format_value, format_word_set, name_word
from seclatch.filter.symbolic.word_set import FULL, WordSet
from seclatch.filter.union_boxes import MAX_BOXES, join_boxes, widen_boxes
from seclatch.model.action import Action, ActionKind
from seclatch.model.arch import Arch
from seclatch.model.filter import ByteOrder
from seclatch.model.profile.profile import Arg
from seclatch.model.seccomp_data import ARGS, MAX_ARGS, NUMBER, POINTER

MAX_LOST = 64
"""Conditions of one call to report that no rule can express: a longer list is of no use."""

_STEPS = 10
"""Making a box, or the rules of an action, takes about as long as so many branches."""

Box = Mapping[int, ArgumentValues]
"""Sets of values of some arguments, by index; all must match, the others may be anything."""


@dataclass(frozen=True, slots=True)
class CallCase:
    """One rule about one call: the action where all comparisons hold."""

    args: tuple[Arg, ...]
    action: Action


@dataclass(frozen=True, slots=True)
class InexpressibleCase:
    """A part of the filter that no rule can express: its condition, verdict, and the reason."""

    condition: str
    verdict: str
    reason: str


def choose_byteorder(arch: Arch) -> ByteOrder:
    """Return the order of the bytes, and of an argument's halves."""
    return "little" if arch.little else "big"


def normalize_action(value: int) -> Action:
    """Return the action without data that the kernel ignores."""
    action = Action.from_ret(value)
    has_data = action.kind.takes_data or action.kind is ActionKind.TRAP
    return action if has_data else Action(action.kind)


def format_action(action: Action) -> str:
    """Return the action as in messages: `SCMP_ACT_TRAP(7)`, the data of a trap too."""
    hidden = action.kind is ActionKind.TRAP and action.data
    return f"{action.kind.scmp}({action.data})" if hidden else str(action)


def find_cases(
    paths: Iterable[DecisionPath],
    arch: Arch,
    default: Action | None,
    budget: BranchBudget | None = None,
) -> tuple[list[CallCase], list[InexpressibleCase]]:
    """Return the rules that express `paths` beside a default (if there is one), and the remainder.

    Cases of different actions never hold for the same arguments: their order means nothing.
    """
    boxes: dict[Action, list[Box]] = {}
    lost: list[InexpressibleCase] = []
    budget = budget or BranchBudget()
    for path in _join_paths(paths, budget):
        budget.spend(_STEPS)
        if len(lost) > MAX_LOST:
            raise TooComplexError(
                f"more than {MAX_LOST} of its conditions can be expressed by no rule"
            )
        if not isinstance(path.value, int):
            value = format_value(path.value, choose_byteorder(arch))
            lost.append(
                InexpressibleCase(
                    format_condition(path, arch), value, "the answer is computed from the call"
                )
            )
            continue
        action = normalize_action(path.value)
        if action != default:
            try:
                boxes.setdefault(action, []).append(_make_box(path, arch))
            except InexpressibleError as problem:
                lost.append(
                    InexpressibleCase(
                        format_condition(path, arch), format_action(action), str(problem)
                    )
                )
    cases: list[CallCase] = []
    for action, own in boxes.items():
        budget.spend(_count_joining(len(own)))
        found = list(islice(_make_cases(own, action), MAX_PIECES + 1))
        if len(found) <= MAX_PIECES:
            cases += found
        else:
            reason = f"its condition falls into more than {MAX_PIECES} cases"
            lost.append(InexpressibleCase("some arguments", format_action(action), reason))
    return cases, lost


def _join_paths(paths: Iterable[DecisionPath], budget: BranchBudget) -> Iterator[DecisionPath]:
    """Join paths to the same verdict that differ in one word only."""
    groups: dict[tuple[Value, Unusual], list[Mapping[int, WordSet]]] = {}
    for path in paths:
        groups.setdefault((path.value, path.unusual), []).append(path.domains)
    for (value, unusual), domains in groups.items():
        budget.spend(_count_joining(len(domains)))
        for one in join_boxes(domains):
            yield DecisionPath(one, unusual, value)


def _count_joining(boxes: int) -> int:
    """Return the steps of joining boxes: comparing two boxes is quicker than a branch."""
    return _STEPS + (boxes**2 // 20 if boxes <= MAX_BOXES else 0)


def format_condition(path: DecisionPath, arch: Arch) -> str:
    """Return a path's conditions on the call besides its number, as text."""
    order = choose_byteorder(arch)
    words = [
        format_word_set(domain, name_word(word, order))
        for word, domain in sorted(path.domains.items())
        if word != NUMBER and domain != FULL
    ]
    tests = [format_test(test, holds, order) for test, holds in path.unusual]
    return " and ".join(words + tests)


def _make_box(path: DecisionPath, arch: Arch) -> Box:
    if path.unusual:
        raise InexpressibleError("no operator compares so")
    box: dict[int, ArgumentValues] = {}
    if any(path.domains.get(word, FULL) != FULL for word in (POINTER, POINTER + 1)):
        raise InexpressibleError("it depends on where in the program the call is made")
    for index in range(MAX_ARGS):
        first, second = (path.domains.get(ARGS + 2 * index + n, FULL) for n in (0, 1))
        low, high = (first, second) if arch.little else (second, first)
        if arch.bits == 32 and high != FULL:
            raise InexpressibleError("it looks at the upper half of a 32-bit argument")
        values = join_halves(high, low, arch.bits)
        if not values.full:
            box[index] = values
    return box


def _make_cases(boxes: list[Box], action: Action) -> Iterator[CallCase]:
    for box in widen_boxes(join_boxes(boxes)):
        comparisons = (values.comparisons(index) for index, values in sorted(box.items()))
        for args in product(*comparisons):
            yield CallCase(args, action)
