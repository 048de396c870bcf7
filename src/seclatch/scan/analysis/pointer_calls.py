"""Follow a pointer to a function within the function that loads it: where is it called?

LLVM keeps the address of syscall(2) in a register over a loop: `mov syscall@GOT(%rip), %r15; …;
call *%r15`. Registers and words of the frame that may hold it are followed over all paths. One that
goes anywhere else (to memory, to a function, into a computation) may be called anywhere.

See docs/decisions/0152 (pointers to syscall(2)).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from typing import Protocol

from seclatch.scan.analysis.abstract_values import Key, State
from seclatch.scan.analysis.dataflow import (
    FlowFacts,
    FlowMachine,
    Outcome,
    StepBudget,
    find_all_states,
)
from seclatch.scan.analysis.stack_words import Place

Held = frozenset[Key]
"""The registers, and words of the frame, that may hold the pointer."""


@dataclass(frozen=True, slots=True)
class PointerStep:
    """The effect of one instruction.

    `held` after it; `called`: it calls what the pointer points to; `escapes`: the pointer may be
    known elsewhere from here on; `lands`: control may go on where the machine's `landings` are;
    `read`: the word of the frame from which it takes the pointer; `exposed`: the lowest address in
    the frame that other code may know from here on.
    """

    held: Held
    called: bool = False
    escapes: bool = False
    lands: bool = False
    read: Place | None = None
    exposed: Place | None = None


class PointerMachine(FlowMachine, Protocol):
    """A function whose instructions can be followed for pointers, too."""

    def landings(self, index: int) -> list[int]:
        """Return where exceptions of a call lead, or a jump of which no table is known.

        -1 stands for code outside of the function.
        """
        ...

    def follow_pointer(self, index: int, state: State, held: Held, slots: Set[int]) -> PointerStep:
        """Return what an instruction does with a pointer; `slots` are words that contain it."""
        ...


def find_pointer_calls(
    machine: PointerMachine, slots: Set[int], budget: StepBudget
) -> set[int] | None:
    """Return the addresses of the calls by a pointer from `slots`; None if it goes elsewhere."""
    states = find_all_states(machine, budget)
    return None if states is None else _PointerWalk(machine, slots, states).run()


def find_landings(
    facts: FlowFacts, index: Mapping[int, int], at: int, entries: list[int]
) -> list[int]:
    """Return where exceptions of the call at an address lead, by the function's table."""
    if not facts.caught:
        return []
    if facts.pads is None:
        return entries
    return [index.get(pad, -1) for low, high, pad in facts.pads if low <= at < high]


class _PointerWalk:
    def __init__(self, machine: PointerMachine, slots: Set[int], states: dict[int, State]) -> None:
        self._machine, self._slots = machine, slots
        self._states = {
            index: states[address]
            for index, address in enumerate(machine.addresses)
            if address in states
        }
        self._seen: dict[int, Held] = {}
        self._spilled: set[Key] = set()
        self._read: set[Key] = set()
        self._exposed: set[Place] = set()
        self._calls: set[int] = set()
        self._lost = False

    def run(self) -> set[int] | None:
        """Follow from every load on until nothing changes."""
        work: list[tuple[int, Held]] = []
        for index in self._states:
            step = self._step(index, frozenset())
            if step.exposed is not None:
                self._exposed.add(step.exposed)
            if step.escapes:
                return None
            work += self._lead(index, step)
        while work:
            index, held = work.pop()
            before = self._seen.get(index)
            if index not in self._states or (before is not None and held <= before):
                continue
            self._seen[index] = held = held | (before or frozenset())
            step = self._step(index, held)
            if step.escapes:
                return None
            self._note(index, step)
            work += self._lead(index, step)
        return None if self._lost or not self._spills_are_own() else self._calls

    def _step(self, index: int, held: Held) -> PointerStep:
        return self._machine.follow_pointer(index, self._states[index], held, self._slots)

    def _note(self, index: int, step: PointerStep) -> None:
        if step.called:
            self._calls.add(self._machine.addresses[index])
        if step.read is not None:
            self._read.add(step.read)

    def _lead(self, index: int, step: PointerStep) -> Iterable[tuple[int, Held]]:
        """Return where control goes on with the pointer."""
        if not step.held:
            return ()
        self._spilled |= {key for key in step.held if isinstance(key, tuple)}
        outcome: Outcome = self._machine.step(index, dict(self._states[index]))
        leads = [index + 1] if outcome is None else outcome
        landings = self._machine.landings(index) if step.lands else []
        runs_on = not step.lands and len(self._machine.addresses) in leads
        self._lost = self._lost or -1 in landings or runs_on  # into the next function
        return [(to, step.held) for to in (*leads, *landings)]

    def _spills_are_own(self) -> bool:
        """Return whether every word that held the pointer is known to this function alone.

        A word that is never read again is an argument, or part of something that others read. One
        above an address that others know may be part of what lies there.
        """
        return self._spilled <= self._read and not any(
            place[1] != low[1] or place[2] >= low[2]
            for place in self._spilled
            for low in self._exposed
            if isinstance(place, tuple)
        )
