"""Two profiles' verdicts on one call, chosen between argument by argument: as rules, exactly.

Each is followed as a decision graph: that of its rules, or, where conditions with different actions
overlap, that of the program which this machine's libseccomp makes of them, which settles it. What
comes of it are disjoint conditions, as the decompiler makes them: a range that no single comparison
says becomes several masked ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from seclatch.filter.call_cases import find_cases, normalize_action
from seclatch.filter.symbolic.budget import BranchBudget
from seclatch.filter.symbolic.decision_paths import DecisionPath, walk_paths
from seclatch.filter.symbolic.symbolic_execution import Node
from seclatch.filter.symbolic.term import TooComplexError
from seclatch.model.action import Action
from seclatch.model.arch import Arch
from seclatch.model.syscall import load_syscalls
from seclatch.profile.meaning.clause import Clause, list_overlaps
from seclatch.profile.meaning.compared_side import ComparedSide, is_ambiguous
from seclatch.profile.meaning.disjoint_clauses import Choice
from seclatch.profile.meaning.libseccomp_deviation import ReferenceGraph

MAX_STEPS = 150_000
"""Branches to follow for all calls of two profiles."""


@dataclass
class ClauseProduct:
    """What `choose` takes of both sides, on the ABIs `arches`, beside a default."""

    one: ComparedSide
    other: ComparedSide
    choose: Choice
    arches: tuple[Arch, ...]
    default: Action
    budget: BranchBudget = field(default_factory=lambda: BranchBudget(MAX_STEPS))

    def is_chosen(self, name: str) -> bool:
        """Do conditions of either overlap, so that libseccomp chooses between them?"""
        return any(
            is_ambiguous(tuple(side.on(arch).clauses(name)), arch)
            for arch in self._having(name)
            for side in (self.one, self.other)
        )

    def clauses(self, name: str) -> list[Clause]:
        """Return the verdicts as clauses of which no two with different actions overlap.

        Raises ValueError where no rules say them, and SeclatchError where libseccomp is needed and
        missing.
        """
        arches = sorted(self._having(name), key=lambda arch: -arch.bits)
        if not arches:
            raise ValueError("no ABI of the profiles has the call")
        try:
            cases, lost = find_cases(
                self._ways(name, arches[0]), arches[0], self.default, self.budget
            )
        except TooComplexError as error:
            raise ValueError(str(error)) from error
        if lost:
            raise ValueError(f"{lost[0].reason} (where {lost[0].condition})")
        found = [Clause(case.args, case.action) for case in cases]
        self.verify(name, found)
        return found

    def verify(self, name: str, clauses: Sequence[Clause]) -> None:
        """Raise ValueError where the clauses say anything else than what is chosen."""
        try:
            missed = (arch for arch in self._having(name) if not self._say(name, arch, clauses))
            wrong = next(missed, None)
        except TooComplexError as error:
            raise ValueError(str(error)) from error
        if wrong:
            raise ValueError(
                f"what the rules say on {wrong.title}, which has arguments of "
                f"{wrong.bits} bits, cannot be said for all ABIs at once"
            )

    def _say(self, name: str, arch: Arch, clauses: Sequence[Clause]) -> bool:
        """Do they say on an ABI what is chosen?"""
        if next(list_overlaps(clauses, arch.bits), None):
            return False
        ours = ReferenceGraph(arch).node(clauses, self.default)
        return all(
            both.value == way.value
            for way in self._ways(name, arch)
            for both in walk_paths(ours, way.domains, self.budget)
        )

    def _having(self, name: str) -> list[Arch]:
        return [arch for arch in self.arches if load_syscalls(arch).has(name)]

    def _ways(self, name: str, arch: Arch) -> Iterator[DecisionPath]:
        for way in walk_paths(self._node(self.one, name, arch), {}, self.budget):
            for both in walk_paths(self._node(self.other, name, arch), way.domains, self.budget):
                actions = [self._action(each) for each in (way, both)]
                yield replace(both, value=self.choose(*actions).ret)

    def _node(self, side: ComparedSide, name: str, arch: Arch) -> Node:
        clauses = side.on(arch).clauses(name)
        if is_ambiguous(tuple(clauses), arch):
            return side.graph(name, arch)
        return ReferenceGraph(arch).node(clauses, side.meaning.default)

    @staticmethod
    def _action(way: DecisionPath) -> Action:
        if way.unusual or not isinstance(way.value, int):
            raise TooComplexError("libseccomp's program compares in a way that no profile does")
        return normalize_action(way.value)
