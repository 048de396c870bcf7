"""Forward data flow through one function: the values of every register at given instructions.

Iterates over basic blocks until nothing changes. The machine (one for each architecture) knows the
effects of an instruction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from seclatch.scan.analysis.abstract_values import State, Value, join_values
from seclatch.scan.analysis.stack_words import is_caller_word, peek_word
from seclatch.scan.elf.eh_frame import LandingPad

_STEPS = 400_000
"""Instructions to step through before blocks are looked at alone: most code needs far fewer."""

_ALL_STEPS = 20_000_000
"""The same for a whole file: libc takes 70,000. This bounds the time for a hostile file."""


@dataclass(slots=True)
class StepBudget:
    """Steps that are left for a file."""

    steps: int = _ALL_STEPS


@dataclass(frozen=True, slots=True)
class FlowFacts:
    """Control flow that a function's own code does not show.

    `endless` are functions that never return, `twice` those that may return again (setjmp);
    `switch` are the addresses in its jump tables, `entered` its addresses to which other functions
    lead; `caught`: exceptions lead into it, to what may follow any call, or by `pads` alone where
    these are known; `tables`: the jump tables by their address, to tell apart which jump uses
    which; `addresses`: those of data that its code forms are values; `labels`: its code takes
    addresses within itself; `settled`: what its arguments point to does not change before it
    returns. `words` are variables whose value is known wherever they are read.
    """

    endless: set[int]
    twice: set[int]
    switch: list[int]
    entered: list[int]
    caught: bool
    labels: bool
    settled: bool = False
    words: Mapping[int, Value] = field(default_factory=dict)
    pads: list[LandingPad] | None = None
    tables: Mapping[int, list[int]] = field(default_factory=dict)
    addresses: bool = False


Outcome = list[int] | None
"""Where an instruction leads: None for the next one, else indices."""


class FlowMachine(Protocol):
    """A function, decoded. Instructions are numbered from 0."""

    stack: int
    """The stack pointer's register."""

    addresses: list[int]
    leaders: set[int]
    """Instructions that begin a basic block, without padding."""

    entries: list[int]
    """Instructions to which other functions lead."""

    def entry(self) -> State:
        """Return the state at the function's first instruction."""
        ...

    def unknown(self) -> State:
        """Return the state of which only the existence of a stack is known."""
        ...

    def enter(self, index: int, state: State) -> None:
        """Note in the state what is known on every path that leads to this instruction."""
        ...

    def step(self, index: int, state: State) -> Outcome:
        """Apply an instruction to the state, and return where it leads."""
        ...


def find_states(
    machine: FlowMachine, wanted: set[int], budget: StepBudget
) -> dict[int, State] | None:
    """Return the state before each wanted address; None if one of them is never decoded.

    If the function is too large for all of it, only what its own block shows is known of each.

    Blocks to which other functions lead (parts of functions that are elsewhere), or to which
    nothing leads (targets of computed jumps that no table names, landing pads of exceptions), are
    entered with nothing known, whether an address in them is wanted or they lead to one.
    """
    found = _walk(machine, wanted, budget)
    if found is None:
        found = _find_in_blocks(machine, wanted)
    return found if wanted & {*machine.addresses} <= found.keys() else None


def find_all_states(machine: FlowMachine, budget: StepBudget) -> dict[int, State] | None:
    """Return the state before every instruction but padding; None if the function is too large."""
    return _walk(machine, {*machine.addresses}, budget) or None


def _find_in_blocks(machine: FlowMachine, wanted: set[int]) -> dict[int, State]:
    """Return the state before each wanted address, with nothing known where its block begins."""
    found: dict[int, State] = {}
    state = machine.unknown()
    for index, address in enumerate(machine.addresses):
        if index in machine.leaders:
            state = machine.unknown()
        if address in wanted:
            found[address] = dict(state)
        if machine.step(index, state) is not None:
            state = machine.unknown()
    return found


def _walk(machine: FlowMachine, wanted: set[int], budget: StepBudget) -> dict[int, State] | None:
    walk = _FlowWalk(machine, wanted, budget)
    entered = [(entry, machine.unknown()) for entry in machine.entries]
    if not walk.run([*entered, (0, machine.entry())]):
        return None
    for leader in sorted(machine.leaders):
        if leader not in walk.seen and not walk.run([(leader, machine.unknown())]):
            return None
    return walk.found


class _FlowWalk:
    def __init__(self, machine: FlowMachine, wanted: set[int], budget: StepBudget) -> None:
        self.machine = machine
        self.budget = budget
        self.wanted = wanted
        self.found: dict[int, State] = {}
        self.seen: dict[int, State] = {}
        self.steps = 0

    def run(self, work: list[tuple[int, State]]) -> bool:
        """Follow all paths until nothing changes; return False if that takes too long."""
        count = len(self.machine.addresses)
        while work:
            index, state = work.pop()
            if not 0 <= index < count:
                continue
            self.machine.enter(index, state)
            merged = self._merge(index, state)
            if merged is None:
                continue
            self.seen[index] = merged
            self._block(index, dict(merged), work)
            if self.steps > _STEPS or self.budget.steps < 0:
                return False
        return True

    def _block(self, index: int, state: State, work: list[tuple[int, State]]) -> None:
        machine = self.machine
        while index < len(machine.addresses):
            self.steps += 1
            self.budget.steps -= 1
            if machine.addresses[index] in self.wanted:
                self.found[machine.addresses[index]] = dict(state)
            leads = machine.step(index, state)
            if leads is not None:
                work += [(lead, dict(state)) for lead in leads]
                return
            index += 1
            if index in machine.leaders:
                work.append((index, state))
                return

    def _merge(self, index: int, state: State) -> State | None:
        """Join with the state seen there before; None if that changes nothing.

        The first stack pointer is kept: where paths disagree, one of them cannot be taken (it
        continues after a call that does not return).
        """
        old = self.seen.get(index)
        if old is None:
            return state
        changes: State = {}
        for key, before in old.items():
            other = state.get(key, before)
            if before is None or (other == before and key in state):
                continue
            if key != self.machine.stack:
                after = join_values(before, peek_word(state, key))
                if after != before:
                    changes[key] = after
        for key in state.keys() - old.keys():
            before = peek_word(old, key)
            if is_caller_word(key) and (after := join_values(before, state[key])) != before:
                changes[key] = after
        return {**old, **changes} if changes else None
