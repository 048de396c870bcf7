"""What a filter says about one call: an action for each set of arguments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice, product

from seclatch.filter.argument import MAX_PIECES, InexpressibleError, Values, join
from seclatch.filter.domain import FULL
from seclatch.filter.formula import show_domain, show_test, show_value, word_name
from seclatch.filter.paths import Path
from seclatch.model.action import Action, Kind
from seclatch.model.arch import Arch
from seclatch.model.call import ARGS, NUMBER, POINTER
from seclatch.model.filter import ByteOrder
from seclatch.model.profile import MAX_ARGS, Arg

MAX_BOXES = 1000
"""Ways to one action of one call to join into rules. Compilers of filters make a few dozen."""

Box = dict[int, Values]
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
    has_data = action.kind.takes_data or action.kind is Kind.TRAP
    return action if has_data else Action(action.kind)


def show_action(action: Action) -> str:
    """As in messages: `SCMP_ACT_TRAP(7)`, the data of a trap too."""
    hidden = action.kind is Kind.TRAP and action.data
    return f"{action.kind.scmp}({action.data})" if hidden else str(action)


def cases_of(ways: Iterable[Path], arch: Arch, default: Action) -> tuple[list[Case], list[Lost]]:
    """The rules that make `ways` out of a default (if there is one), and what they cannot say.

    Cases of different actions never hold for the same arguments: their order means nothing.
    """
    boxes: dict[Action, list[Box]] = {}
    lost: list[Lost] = []
    for way in ways:
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
        found = list(islice(_cases(own, action), MAX_PIECES + 1))
        if len(found) <= MAX_PIECES:
            cases += found
        else:
            reason = f"its condition falls into more than {MAX_PIECES} cases"
            lost.append(Lost("some arguments", show_action(action), reason))
    return cases, lost


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
    box: Box = {}
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
    merged = _widen(_merge(boxes)) if len(boxes) <= MAX_BOXES else boxes
    for box in merged:
        comparisons = (values.comparisons(index) for index, values in sorted(box.items()))
        for args in product(*comparisons):
            yield Case(args, action)


def _merge(boxes: list[Box]) -> list[Box]:
    """Join boxes that differ in one argument only, until none do."""
    merged: list[Box] = []
    pending = list(reversed(boxes))
    while pending:
        box = pending.pop()
        for other in merged:
            united = _unite(box, other)
            if united is not None:
                merged.remove(other)
                pending.append(united)
                break
        else:
            merged.append(box)
    return merged


def _unite(one: Box, other: Box) -> Box | None:
    differing = [index for index in one.keys() | other.keys() if one.get(index) != other.get(index)]
    if not differing:
        return one
    index = differing[0]
    if len(differing) > 1 or index not in one or index not in other:
        return None
    union = one[index].union(other[index])
    if union is None:
        return None
    rest = {key: values for key, values in one.items() if key != index}
    return rest if union.full else rest | {index: union}


def _widen(boxes: list[Box]) -> list[Box]:
    """Drop conditions that other boxes make needless: what they would add is there already.

    `arg0 != 16 and arg2 == 9`, or `arg2 != 9`: the first says no more than `arg0 != 16`. The rules
    get simpler, and libseccomp has shown to be wrong about the longer kind.
    """
    widened = list(boxes)
    for place, box in enumerate(widened):
        others = widened[:place] + widened[place + 1 :]
        for index, values in list(box.items()):
            beyond = Values(values.bits, ranges=values.outside())
            if not values.cubes and any(_inside(box | {index: beyond}, one) for one in others):
                del box[index]
    return widened


def _inside(box: Box, outer: Box) -> bool:
    return all(index in box and box[index].within(values) for index, values in outer.items())
