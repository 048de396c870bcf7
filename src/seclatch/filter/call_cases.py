"""What a filter says about one call: an action for each set of arguments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice, product

from seclatch.filter.argument_box import MAX_PIECES, InexpressibleError, Values, join
from seclatch.filter.decision_paths import Budget, Path, Unusual
from seclatch.filter.term import Value
from seclatch.filter.term_text import show_domain, show_test, show_value, word_name
from seclatch.filter.union_boxes import MAX_BOXES, join_boxes, widen
from seclatch.filter.word_set import FULL, Domain
from seclatch.model.action import Action, ActionKind
from seclatch.model.arch import Arch
from seclatch.model.filter import ByteOrder
from seclatch.model.profile import MAX_ARGS, Arg
from seclatch.model.seccomp_data import ARGS, NUMBER, POINTER

_STEPS = 10
"""To make a box, or the rules of an action, takes about as long as so many branches."""

Box = Mapping[int, Values]
"""Values of some arguments (by index), that must all be so; the others may be anything."""


@dataclass(frozen=True, slots=True)
class Case:
    """One rule about one call: the action where all comparisons hold."""

    args: tuple[Arg, ...]
    action: Action


@dataclass(frozen=True, slots=True)
class Lost:
    """What no rule can say: where it applies, what the filter answers there, and why not."""

    condition: str
    verdict: str
    reason: str


def byteorder(arch: Arch) -> ByteOrder:
    """The order of the bytes, and of an argument's halves."""
    return "little" if arch.little else "big"


def meaningful(value: int) -> Action:
    """The action, without data that the kernel takes no notice of."""
    action = Action.from_ret(value)
    has_data = action.kind.takes_data or action.kind is ActionKind.TRAP
    return action if has_data else Action(action.kind)


def show_action(action: Action) -> str:
    """As in messages: `SCMP_ACT_TRAP(7)`, the data of a trap too."""
    hidden = action.kind is ActionKind.TRAP and action.data
    return f"{action.kind.scmp}({action.data})" if hidden else str(action)


def cases_of(
    ways: Iterable[Path], arch: Arch, default: Action | None, budget: Budget | None = None
) -> tuple[list[Case], list[Lost]]:
    """The rules that make `ways` out of a default (if there is one), and what they cannot say.

    Cases of different actions never hold for the same arguments: their order means nothing.
    """
    boxes: dict[Action, list[Box]] = {}
    lost: list[Lost] = []
    budget = budget or Budget()
    for way in _joined(ways, budget):
        budget.spend(_STEPS)
        if not isinstance(way.value, int):
            value = show_value(way.value, byteorder(arch))
            lost.append(Lost(condition(way, arch), value, "the answer is computed from the call"))
            continue
        action = meaningful(way.value)
        if action != default:
            try:
                boxes.setdefault(action, []).append(_box(way, arch))
            except InexpressibleError as problem:
                lost.append(Lost(condition(way, arch), show_action(action), str(problem)))
    cases: list[Case] = []
    for action, own in boxes.items():
        budget.spend(_STEPS)
        found = list(islice(_cases(own, action), MAX_PIECES + 1))
        if len(found) <= MAX_PIECES:
            cases += found
        else:
            reason = f"its condition falls into more than {MAX_PIECES} cases"
            lost.append(Lost("some arguments", show_action(action), reason))
    return cases, lost


def _joined(ways: Iterable[Path], budget: Budget) -> Iterator[Path]:
    """Ways to the same answer that differ in one word only, made one."""
    groups: dict[tuple[Value, Unusual], list[Mapping[int, Domain]]] = {}
    for way in ways:
        groups.setdefault((way.value, way.unusual), []).append(way.domains)
    for (value, unusual), domains in groups.items():
        if len(domains) <= MAX_BOXES:
            budget.spend(len(domains) ** 2 // 20)  # each is held against each, which is quicker
        for one in join_boxes(domains):
            yield Path(one, unusual, value)


def condition(way: Path, arch: Arch) -> str:
    """What a way asks of the call besides its number, for a reader."""
    order = byteorder(arch)
    words = [
        show_domain(domain, word_name(word, order))
        for word, domain in sorted(way.domains.items())
        if word != NUMBER and domain != FULL
    ]
    tests = [show_test(test, holds, order) for test, holds in way.unusual]
    return " and ".join(words + tests)


def _box(way: Path, arch: Arch) -> Box:
    if way.unusual:
        raise InexpressibleError("no operator compares so")
    box: dict[int, Values] = {}
    if any(way.domains.get(word, FULL) != FULL for word in (POINTER, POINTER + 1)):
        raise InexpressibleError("it depends on where in the program the call is made")
    for index in range(MAX_ARGS):
        first, second = (way.domains.get(ARGS + 2 * index + n, FULL) for n in (0, 1))
        low, high = (first, second) if arch.little else (second, first)
        if arch.bits == 32 and high != FULL:
            raise InexpressibleError("it looks at the upper half of a 32-bit argument")
        values = join(high, low, arch.bits)
        if not values.full:
            box[index] = values
    return box


def _cases(boxes: list[Box], action: Action) -> Iterator[Case]:
    for box in widen(join_boxes(boxes)):
        comparisons = (values.comparisons(index) for index, values in sorted(box.items()))
        for args in product(*comparisons):
            yield Case(args, action)
