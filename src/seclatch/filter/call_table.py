"""The verdicts of a filter on every call of one architecture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from seclatch.filter.call_cases import (
    MAX_LOST,
    CallCase,
    InexpressibleCase,
    choose_byteorder,
    find_cases,
    format_action,
    format_condition,
    normalize_action,
)
from seclatch.filter.symbolic.budget import BranchBudget
from seclatch.filter.symbolic.decision_paths import DecisionPath, walk_paths
from seclatch.filter.symbolic.symbolic_execution import (
    DecisionGraphs,
    LeafNode,
    Node,
    descend_graph,
    find_fixed_words,
)
from seclatch.filter.symbolic.term import U32, TooComplexError
from seclatch.filter.symbolic.term_text import format_value, format_word_set
from seclatch.filter.symbolic.word_set import (
    FULL,
    Range,
    WordSet,
    clip_ranges,
    meets_cube,
    subtract_range,
)
from seclatch.model.action import ENOSYS, Action, ActionKind
from seclatch.model.arch import X32_BIT, Arch
from seclatch.model.seccomp_data import NUMBER
from seclatch.model.syscall import Syscall, load_syscalls

_ENOSYS = Action(ActionKind.ERRNO, ENOSYS)
MAX_STEPS = 300_000
"""Branches to follow for all calls together. Docker's default, with all its ABIs, has 25 000."""

MAX_COMPARISONS = 768
"""Of one call: as many as a profile may have (profile/parse/interpret_document.py). Each is later
compared with each."""

_STUB = "runc's stub for calls above all that a profile names: runc adds it again, crun does not"


@dataclass(frozen=True, slots=True)
class CallTable:
    """Cases by the calls' names, the verdict on unnamed numbers, and what rules cannot express.

    A call that always gets `default` has no cases. `lost` has the calls as text.
    """

    arch: Arch
    default: Action
    cases: dict[str, tuple[CallCase, ...]] = field(default_factory=dict)
    lost: tuple[tuple[str, InexpressibleCase], ...] = ()

    def uniform(self) -> Action | None:
        """Return the action that every named call gets with any arguments, if there is one."""
        if not self.cases and not self.lost:
            return self.default
        everything = {self.cases.get(call.name, ()) for call in load_syscalls(self.arch).all()}
        only = everything.pop()
        if everything or self.lost or len(only) != 1 or only[0].args:
            return None
        return only[0].action


def make_call_table(
    graphs: DecisionGraphs, arch: Arch, stub_apart: bool = False, budget: BranchBudget | None = None
) -> CallTable:
    """Evaluate a program for every call of an architecture. Raises TooComplexError.

    `budget`: for all calls; those for which nothing is left are `lost`. `stub_apart`: the verdicts
    of runc's stub are `lost`, not rules.
    """
    root = graphs.graph(find_fixed_words(arch))
    budget = budget or BranchBudget(MAX_STEPS)
    numbers = list_unnamed_numbers(arch)
    default = _find_default(root, numbers)
    if default == _ENOSYS:
        default = _below_stub(root, arch, numbers) or default
    cases: dict[str, tuple[CallCase, ...]] = {}
    lost: list[tuple[str, InexpressibleCase]] = []
    for call in load_syscalls(arch).all():
        found, problems = _find_call_cases(root, call, default, budget)
        if found:
            cases[call.name] = tuple(found)
        lost += [(call.name, problem) for problem in problems]
    newest = None
    if stub_apart and default != _ENOSYS:
        newest = _find_stub(root, numbers, cases, arch, budget)
    if newest is not None:
        cases = {
            call.name: cases[call.name]
            for call in load_syscalls(arch).all()
            if call.number <= newest and call.name in cases
        }
        numbers = clip_ranges(numbers, 0, newest) + clip_ranges(numbers, U32, U32)
        lost.append((f"#{newest + 1} and above", InexpressibleCase("", str(_ENOSYS), _STUB)))
    lost += _unnamed_lost(root, numbers, arch, default, budget)
    return CallTable(arch, default, cases, tuple(lost))


def _find_stub(
    root: Node,
    numbers: tuple[Range, ...],
    cases: dict[str, tuple[CallCase, ...]],
    arch: Arch,
    budget: BranchBudget,
) -> int | None:
    """Return the number above which every call gets ENOSYS, if unnamed numbers there get it too."""
    always = (CallCase((), _ENOSYS),)
    others = [
        number for number, name in load_syscalls(arch).names.items() if cases.get(name) != always
    ]
    newest = max(others, default=0)
    above = clip_ranges(numbers, newest + 1, U32 - 1)  # -1 takes another path on some ABIs
    try:
        paths = list(walk_paths(root, {NUMBER: WordSet(above)}, budget)) if above else []
    except TooComplexError:
        return None
    return newest if paths and all(path.value == _ENOSYS.ret for path in paths) else None


def list_unnamed_numbers(arch: Arch) -> tuple[Range, ...]:
    """Return the numbers without a name that are this architecture's and not its twin's.

    Negative ones are no calls on any: if allowed, they get ENOSYS. Only -1, by which tracers skip a
    call, is considered: libseccomp treats it as x86-64's, all others from x32's bit on as x32's.
    """
    ranges: tuple[Range, ...] = ((0, 0x7FFFFFFF), (U32, U32))
    if arch is Arch.X86_64:
        ranges = ((0, X32_BIT - 1), (U32, U32))
    if arch is Arch.X32:
        ranges = ((X32_BIT, 0x7FFFFFFF),)
    for number in load_syscalls(arch).names:
        ranges = subtract_range(ranges, number, number)
    return ranges


def _find_default(root: Node, numbers: tuple[Range, ...]) -> Action:
    """Return the verdict on unknown numbers, by the lowest one that gets the same in any case.

    Not the highest: runc's stub answers those above every call that it knows.
    """
    for first, _ in numbers:
        node = descend_graph(root, NUMBER, first)
        if isinstance(node, LeafNode) and isinstance(node.value, int):
            return normalize_action(node.value)
    return Action(ActionKind.KILL_PROCESS)


def _below_stub(root: Node, arch: Arch, numbers: tuple[Range, ...]) -> Action | None:
    """Return the default below runc's ENOSYS stub, where no unnamed number is there to evaluate.

    It must be what most calls without a rule get: the most frequent refusal. That only chooses a
    representation; the rules mean exactly the same with any default.
    """
    answers: dict[int, Action | None] = {}
    for number in load_syscalls(arch).names:
        node = descend_graph(root, NUMBER, number)
        value = node.value if isinstance(node, LeafNode) else None
        answers[number] = normalize_action(value) if isinstance(value, int) else None
    newest = max((number for number, answer in answers.items() if answer != _ENOSYS), default=0)
    below = Counter(answer for number, answer in answers.items() if number <= newest and answer)
    if clip_ranges(numbers, 0, newest) or _ENOSYS in below:
        return None
    return next((one for one, _ in below.most_common() if not one.kind.executes), None)


def _find_call_cases(
    root: Node, call: Syscall, default: Action, budget: BranchBudget
) -> tuple[list[CallCase], list[InexpressibleCase]]:
    node = descend_graph(root, NUMBER, call.number)
    start = {NUMBER: WordSet(((call.number, call.number),))}
    try:
        found, lost = find_cases(walk_paths(node, start, budget), call.arch, default, budget)
        if sum(len(case.args) for case in found) > MAX_COMPARISONS:
            raise TooComplexError(f"its rules would have more than {MAX_COMPARISONS} comparisons")
        return found, lost
    except TooComplexError as problem:
        return [], [InexpressibleCase("any arguments", "unknown", str(problem))]


def _unnamed_lost(
    root: Node, numbers: tuple[Range, ...], arch: Arch, default: Action, budget: BranchBudget
) -> Iterator[tuple[str, InexpressibleCase]]:
    """Yield unnamed numbers that do not get the default: no rule can name them."""
    grouped: dict[tuple[str, str], list[Range]] = {}
    try:
        for path in walk_paths(root, {NUMBER: WordSet(numbers)}, budget):
            if len(grouped) > MAX_LOST:
                raise TooComplexError(f"they are distinguished by more than {MAX_LOST} conditions")
            action = normalize_action(path.value) if isinstance(path.value, int) else None
            if action != default:
                shown = (
                    format_action(action)
                    if action
                    else format_value(path.value, choose_byteorder(arch))
                )
                domain = path.domains[NUMBER]
                bits = format_word_set(replace(domain, ranges=FULL.ranges), "nr")
                key = " and ".join(filter(None, (bits, format_condition(path, arch)))), shown
                grouped.setdefault(key, []).extend(_list_path_numbers(path, numbers))
    except TooComplexError as problem:
        yield "numbers without a name", InexpressibleCase("any arguments", "unknown", str(problem))
        return
    for (asked, shown), ranges in grouped.items():
        listed = ", ".join(f"{a}" if a == b else f"{a} to {b}" for a, b in sorted(ranges)[:8])
        more = f" and {len(ranges) - 8} more ranges" if len(ranges) > 8 else ""
        yield (
            f"#{listed}{more}",
            InexpressibleCase(asked, shown, "a rule names calls; these have no name"),
        )


def _list_path_numbers(path: DecisionPath, numbers: tuple[Range, ...]) -> list[Range]:
    domain = path.domains[NUMBER]
    ranges = [one for first, last in domain.ranges for one in clip_ranges(numbers, first, last)]
    return [one for one in ranges if meets_cube(one, domain.equal)]
