"""One side of a comparison: a resolved profile with what its runtime adds, or a BPF program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from seclatch.filter.classic_bpf.simulate import simulate_filter
from seclatch.filter.symbolic.budget import BranchBudget
from seclatch.filter.symbolic.symbolic_execution import (
    DecisionGraphs,
    LeafNode,
    Node,
    find_fixed_words,
)
from seclatch.filter.symbolic.term import TooComplexError
from seclatch.model.action import ENOSYS, Action, ActionKind
from seclatch.model.arch import Arch
from seclatch.model.filter import Filter
from seclatch.model.profile.profile import Profile, Rule
from seclatch.model.seccomp_data import ARGS, MAX_ARGS, NUMBER, SeccompData
from seclatch.model.syscall import load_syscalls
from seclatch.profile.compile.compile_profile import compile_profile
from seclatch.profile.compile.runtime_limits import Runtime
from seclatch.profile.meaning.clause import Clause, list_overlaps
from seclatch.profile.meaning.equivalence import CallVerdicts
from seclatch.profile.meaning.libseccomp_deviation import ReferenceGraph
from seclatch.profile.meaning.rule_meaning import ProfileMeaning, read_meaning

STUB = Action(ActionKind.ERRNO, ENOSYS)
_PERMISSIVE = (ActionKind.ALLOW, ActionKind.LOG, ActionKind.TRACE)


@dataclass(slots=True)
class ComparedSide:
    """What is compared. `program` is the code that the profile was decompiled from, if any.

    `meaning` is for ABIs with 64-bit arguments, `narrow` for those with 32.
    `limits`: the highest call that the profile names on each ABI, above which runc's stub answers
    ENOSYS; empty where there is no stub. `beyond`: calls (ABI's title, name) of which the program's
    rules do not say all.
    """

    profile: Profile
    meaning: ProfileMeaning
    narrow: ProfileMeaning
    limits: dict[Arch, int] = field(default_factory=dict)
    program: Filter | None = None
    beyond: frozenset[tuple[str, str]] = frozenset()

    @property
    def calls(self) -> set[str]:
        """The names of all calls about which there is something to say."""
        return {*self.meaning.calls, *(name for _, name in self.beyond)}

    def on(self, arch: Arch) -> ProfileMeaning:
        """Return what the rules say on an ABI."""
        return self.meaning if arch.bits == 64 else self.narrow

    def default(self, arch: Arch, number: int | None) -> Action:
        """Return what a call without a rule gets; None: one that has no number of its own."""
        if number is None:
            return self.meaning.default
        if self.program and number not in load_syscalls(arch).names:
            return simulate_filter(
                self.program, SeccompData(arch.audit, number, (0,) * MAX_ARGS)
            ).action
        limit = self.limits.get(arch)
        multiplexer = number == 0 and arch in (Arch.S390, Arch.S390X)
        stubbed = limit is not None and (number > limit or multiplexer)
        return STUB if stubbed else self.meaning.default

    def verdicts(self, name: str, arch: Arch) -> CallVerdicts | None:
        """Return what a call gets on an ABI.

        None where libseccomp chooses between the conditions, or rules cannot say what the program
        does.
        """
        clauses = tuple(self.on(arch).clauses(name))
        if (arch.title, name) in self.beyond or is_ambiguous(clauses, arch):
            return None
        if self._has_ruled_multiplexer(name, arch):
            return None
        return CallVerdicts(clauses, self.default(arch, load_syscalls(arch).numbers.get(name)))

    def followed(self, name: str, arch: Arch, budget: BranchBudget | None = None) -> Node:
        """Return the same as a graph: of the given program, else of the rules.

        Where libseccomp chooses between rules, of what it makes of them. Raises as `graph` does.
        """
        clauses = tuple(self.on(arch).clauses(name))
        multiplexed = self._has_ruled_multiplexer(name, arch)
        if self.program or is_ambiguous(clauses, arch) or multiplexed:
            return self.graph(name, arch, budget)
        return ReferenceGraph(arch).node(
            clauses, self.default(arch, load_syscalls(arch).numbers.get(name))
        )

    def graph(self, name: str, arch: Arch, budget: BranchBudget | None = None) -> Node:
        """Return the same as libseccomp makes it.

        `budget`: of instructions to follow, for many calls together. Raises SeclatchError,
        TooComplexError.
        """
        known, names = _find_way(name, arch)
        if not self.program and not any(self.on(arch).clauses(one) for one in names):
            return LeafNode(self.default(arch, known[NUMBER]).ret)
        program = self.program or _compile_calls(self.profile, names, arch)
        return DecisionGraphs(program, budget).graph(known | find_fixed_words(arch))

    def _has_ruled_multiplexer(self, name: str, arch: Arch) -> bool:
        """Return whether a call is made through another one here, which has rules of its own."""
        table = load_syscalls(arch)
        if name in table.numbers or name not in table.multiplexed:
            return False
        return bool(self.on(arch).clauses(table.multiplexed[name][0]))


def make_side(
    profile: Profile,
    native: Arch,
    runtime: Runtime | None = None,
    program: Filter | None = None,
    beyond: frozenset[tuple[str, str]] = frozenset(),
) -> ComparedSide:
    """Return a resolved profile as `runtime` reads it (None: no more than the rules say)."""
    meaning = read_meaning(profile, native)
    stubbed = runtime is Runtime.RUNC and program is None
    limits = stub_limits(profile, meaning.arches) if stubbed else {}
    narrow = read_meaning(profile, native, 32)
    return ComparedSide(profile, meaning, narrow, limits, program, beyond)


def stub_limits(profile: Profile, arches: Sequence[Arch]) -> dict[Arch, int]:
    """Return the highest call that a resolved profile names on each ABI.

    runc's stub answers ENOSYS above it; ABIs without a stub are left out.
    """
    if profile.default.kind in _PERMISSIVE:
        return {}
    names = {name for rule in profile.rules for name in rule.names}
    limits = {arch: _highest(names, arch) for arch in arches}
    return {arch: number for arch, number in limits.items() if number > 0}


def is_ambiguous(clauses: tuple[Clause, ...], arch: Arch) -> bool:
    """Whether libseccomp chooses between conditions: no reading of the rules tells which."""
    return next(list_overlaps(clauses, arch.bits), None) is not None


def _highest(names: set[str], arch: Arch) -> int:
    """runc counts the names that libseccomp knows, also of rules that say what the default says."""
    known = load_syscalls(arch)
    numbers = (known.numbers.get(name, 0) for name in names if name not in known.newer)
    return max(numbers, default=0)


def _find_way(name: str, arch: Arch) -> tuple[dict[int, int], tuple[str, ...]]:
    """Return the words of seccomp_data that select a call, and the names of its rules.

    Where it has no number of its own (x86's `recv`), that is the first argument of another call.
    Raises TooComplexError if it cannot be made.
    """
    table = load_syscalls(arch)
    if name in table.numbers:
        return {NUMBER: table.numbers[name]}, (name,)
    multiplexer, value = table.multiplexed.get(name, ("", 0))
    if multiplexer not in table.numbers:
        raise TooComplexError(f"no way to make {name} on {arch.title} is known")
    low = ARGS + int(not arch.little)
    return {NUMBER: table.numbers[multiplexer], low: value}, (name, multiplexer)


def _compile_calls(profile: Profile, names: Sequence[str], arch: Arch) -> Filter:
    """Compile the rules for these calls alone."""
    rules = tuple(
        Rule((name,), rule.action, rule.errno, rule.args)
        for rule in profile.rules
        for name in names
        if name in rule.names
    )
    only = Profile(profile.default_action, rules, default_errno=profile.default_errno)
    code = compile_profile(only, runtime=Runtime.LIBSECCOMP, native=arch).code
    return Filter.from_bytes(code, "little" if arch.little else "big")
