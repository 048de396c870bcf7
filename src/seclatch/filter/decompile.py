"""Decompile a filter into profiles: the rules of which it was made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from seclatch.errors import SeclatchError
from seclatch.filter.call_cases import (
    CallCase,
    InexpressibleCase,
    choose_byteorder,
    format_action,
    normalize_action,
)
from seclatch.filter.call_table import MAX_STEPS, CallTable, make_call_table
from seclatch.filter.classic_bpf.known_values import propagate_values
from seclatch.filter.classic_bpf.opcode import CONDITIONAL
from seclatch.filter.symbolic.budget import BranchBudget
from seclatch.filter.symbolic.symbolic_execution import DecisionGraphs, LeafNode
from seclatch.filter.symbolic.term import TooComplexError
from seclatch.model.action import Action, ActionKind
from seclatch.model.arch import Arch
from seclatch.model.filter import Filter
from seclatch.model.profile.profile import Arg, Profile, Rule
from seclatch.model.seccomp_data import ARCH
from seclatch.model.syscall import load_syscalls

_U32 = 0xFFFFFFFF

MAX_INSTRUCTIONS = 500_000
"""Instructions to follow for all architectures together."""


@dataclass(frozen=True, slots=True)
class ResidualVerdict:
    """A verdict of the filter that no profile can express.

    Calls of `arch` (a title, or words) under `condition` ("" for all) get `verdict`.
    """

    arch: str
    calls: str
    condition: str
    verdict: str
    reason: str

    def __str__(self) -> str:
        where = f" where {self.condition}" if self.condition else ""
        return f"{self.arch} {self.calls}{where}: {self.verdict} ({self.reason})"


@dataclass(frozen=True, slots=True)
class DecompiledFilter:
    """One profile for each group of architectures with the same rules; and the remainder."""

    profiles: tuple[Profile, ...]
    kept: tuple[ResidualVerdict, ...]


def decompile_filter(
    program: Filter, arches: Sequence[Arch] = (), *, stub_apart: bool = False
) -> DecompiledFilter:
    """Find the rules of a program that the kernel accepts (`verify`).

    `arches`: the architectures to evaluate; by default those that the program compares with.
    `stub_apart`: leave runc's ENOSYS stub out of the rules, because runc adds it again, and report
    it in `kept`. Otherwise the calls that it denies get rules of their own.
    """
    chosen = tuple(arches) or find_compared_arches(program)
    if not chosen:
        raise SeclatchError(
            "decompiling the filter: it never compares the architecture",
            remedy="say which one it is for: --arch x86_64",
            status=2,
        )
    graphs = DecisionGraphs(program, BranchBudget(MAX_INSTRUCTIONS))
    budget = BranchBudget(MAX_STEPS)
    try:
        portraits = [make_call_table(graphs, arch, stub_apart, budget) for arch in chosen]
    except TooComplexError as problem:
        raise SeclatchError(f"decompiling the filter: {problem}", status=2) from problem
    elsewhere, kept = _evaluate_other_arches(graphs, program)
    # libseccomp treats an architecture that is not in the filter like an unknown one.
    claimed = [one for one in portraits if arches or one.uniform() != elsewhere] or portraits[:1]
    for portrait in claimed:
        kept += [_make_residual(portrait.arch.title, calls, lost) for calls, lost in portrait.lost]
        kept += _list_traps(portrait)
    profiles = tuple(_make_profile(group) for group in _group_tables(claimed))
    return DecompiledFilter(profiles, tuple(kept))


def find_compared_arches(program: Filter) -> tuple[Arch, ...]:
    """Return the architectures that the program compares seccomp_data.arch with; 64-bit first."""
    constants = {
        instruction.k
        for instruction, known in zip(program.instructions, propagate_values(program), strict=True)
        if known and known.word == ARCH and instruction.code in CONDITIONAL
    }
    found = [
        arch
        for arch in Arch
        if arch.audit in constants and choose_byteorder(arch) == program.byteorder
    ]
    return tuple(sorted(found, key=lambda arch: -arch.bits))


def _evaluate_other_arches(
    graphs: DecisionGraphs, program: Filter
) -> tuple[Action | None, list[ResidualVerdict]]:
    """Return the verdict on architectures with which the program does not compare."""
    constants = {instruction.k for instruction in program.instructions}
    unknown = next(value for value in range(_U32, 0, -1) if value not in constants)
    reason = "runtimes kill the thread there"
    try:
        node = graphs.graph({ARCH: unknown})
    except TooComplexError as problem:
        return None, [
            ResidualVerdict("other architectures", "all calls", "", "unknown", str(problem))
        ]
    if not isinstance(node, LeafNode) or not isinstance(node.value, int):
        return None, [ResidualVerdict("other architectures", "some calls", "", "depends", reason)]
    action = normalize_action(node.value)
    if action.kind is ActionKind.KILL_THREAD:
        return action, []
    return action, [
        ResidualVerdict("other architectures", "all calls", "", format_action(action), reason)
    ]


def _make_residual(arch: str, calls: str, lost: InexpressibleCase) -> ResidualVerdict:
    return ResidualVerdict(arch, calls, lost.condition, lost.verdict, lost.reason)


def _list_traps(portrait: CallTable) -> list[ResidualVerdict]:
    """Return traps with data, which profiles cannot express: the handler's number is lost."""
    reason = "the rule is made, but the data of a trap cannot be expressed"
    found: dict[Action, list[str]] = {}
    for name, cases in portrait.cases.items():
        for case in cases:
            if case.action.kind is ActionKind.TRAP and case.action.data:
                found.setdefault(case.action, []).append(name)
    if portrait.default.kind is ActionKind.TRAP and portrait.default.data:
        found.setdefault(portrait.default, []).append("all other calls")
    return [
        ResidualVerdict(
            portrait.arch.title, ", ".join(dict.fromkeys(names)), "", format_action(action), reason
        )
        for action, names in found.items()
    ]


def _group_tables(portraits: Iterable[CallTable]) -> list[list[CallTable]]:
    """Group tables that one profile can express: its rules hold for all its architectures alike."""
    groups: list[list[CallTable]] = []
    for portrait in portraits:
        for group in groups:
            if all(_have_equal_rules(portrait, other) for other in group):
                group.append(portrait)
                break
        else:
            groups.append([portrait])
    return groups


def _have_equal_rules(one: CallTable, other: CallTable) -> bool:
    if _express_action(one.default) != _express_action(other.default):
        return False
    bits = min(one.arch.bits, other.arch.bits)
    common = load_syscalls(one.arch).numbers.keys() & load_syscalls(other.arch).numbers.keys()
    return all(
        _narrow_cases(one, name, bits) == _narrow_cases(other, name, bits) for name in common
    )


def _narrow_cases(
    portrait: CallTable, name: str, bits: int
) -> frozenset[tuple[tuple[Arg, ...], Action]]:
    """Return the cases as libseccomp makes them of a rule where arguments have so many bits."""
    mask = (1 << bits) - 1
    return frozenset(
        (
            tuple(
                Arg(arg.index, arg.operator, arg.value & mask, arg.value_two & mask)
                for arg in case.args
            ),
            _express_action(case.action),
        )
        for case in portrait.cases.get(name, ())
    )


def _express_action(action: Action) -> Action:
    """Return the action as a profile expresses it."""
    return action if action.kind.takes_data else Action(action.kind)


def _make_profile(group: Sequence[CallTable]) -> Profile:
    """Make a group's profile; a call that several have takes the rules of the widest, the first."""
    cases: dict[str, tuple[CallCase, ...]] = {}
    for portrait in group:
        for name, own in portrait.cases.items():
            cases.setdefault(name, own)
    default = group[0].default
    return Profile(
        default_action=default.kind.scmp,
        default_errno=default.data if default.kind.takes_data else None,
        rules=tuple(_make_rules(cases)),
        architectures=tuple(portrait.arch for portrait in group),
    )


def _make_rules(cases: dict[str, tuple[CallCase, ...]]) -> Iterable[Rule]:
    """Yield one rule for all calls of the same condition and action; unconditional ones first."""
    names: dict[tuple[tuple[Arg, ...], Action], list[str]] = {}
    for name in sorted(cases):
        for case in cases[name]:
            names.setdefault((case.args, _express_action(case.action)), []).append(name)
    for (args, action), own in sorted(names.items(), key=lambda item: bool(item[0][0])):
        errno = action.data if action.kind.takes_data else None
        yield Rule(tuple(own), action.kind.scmp, errno, args)
