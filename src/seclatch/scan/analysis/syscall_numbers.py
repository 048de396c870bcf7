"""Find the system call of each site: constants, followed through wrappers to their callers."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from seclatch.scan.analysis.abstract_values import (
    Atom,
    State,
    Value,
    find_frame_address,
    move_address,
)
from seclatch.scan.analysis.code_sweep import CALL, CodeSweep
from seclatch.scan.analysis.dataflow import FlowMachine, StepBudget, find_states
from seclatch.scan.analysis.stack_words import load_word

_NUMBER = 4
"""Bytes of a queried value: the kernel, and an int, ignore the others."""

_DEPTH = 8
"""Nested wrappers to follow; Go's standard library has four."""

MachineOf = Callable[[int], FlowMachine]


@dataclass(slots=True)
class SiteNumbers:
    """Results by index of the function.

    `numbers` that its sites make; `addresses` of data, where these are followed; `unresolved`
    (function, address) of sites whose number is unknown; `wrappers`, whose callers pass the
    number.
    """

    numbers: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    addresses: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    unresolved: set[tuple[int, int]] = field(default_factory=set)
    wrappers: set[int] = field(default_factory=set)


Query = tuple[int, Atom]
"""The value of a name (as seen at entry of the called function) at this address."""


PointerCall = tuple[int, int, bool]
"""The function that is called, the call's address, and whether it leaves a return address."""


class NumberResolver:
    """Follows numbers through one file."""

    def __init__(
        self, starts: list[int], sweep: CodeSweep, machine: MachineOf, stack: int, pushes: bool
    ) -> None:
        self._starts = starts
        self._machine = machine
        self._stack = stack
        self._is_pushing = pushes
        self.added: list[PointerCall] = []
        """Calls by pointers: those in the code's own transfers are not among them."""
        self._callers: dict[int, list[int]] = defaultdict(list)
        self._pushes: set[int] = set()
        for at, target, kind in sweep.transfers:
            self._callers[target].append(at)
            # x86's call pushes the return address; aarch64 keeps it in a register.
            if pushes and kind == CALL:
                self._pushes.add(at)
        self._states: dict[int, State | None] = {}
        self.budget = StepBudget()

    def callers(self, target: int) -> list[int]:
        """Return the addresses that call or jump to a function."""
        return self._callers.get(target, [])

    def add_caller(self, target: int, at: int, pushes: bool) -> None:
        """Add a call by a pointer; `pushes`: it leaves a return address, as calls do."""
        self.added.append((target, at, pushes))
        self._callers[target].append(at)
        if pushes and self._is_pushing:
            self._pushes.add(at)

    def resolve(self, queries: set[Query]) -> SiteNumbers:
        """Resolve the queries, and those that they lead to."""
        found = SiteNumbers()
        done: set[Query] = set()
        for _ in range(_DEPTH):
            if not queries:
                break
            done |= queries
            self._walk({at for at, _ in queries})
            queries = {
                following for query in queries for following in self._resolve_query(found, *query)
            } - done
        for at, _ in queries:
            found.unresolved.add((self.function(at), at))
        return found

    def function(self, address: int) -> int:
        """Return the index of the function at an address."""
        return bisect_right(self._starts, address) - 1

    def begin(self, function: int) -> int:
        """Return the address at which a function begins."""
        return self._starts[function]

    def start(self, address: int) -> int:
        """Return the start of the function at an address."""
        return self._starts[self.function(address)]

    def state(self, at: int) -> State | None:
        """Return the state before a site that was queried."""
        return self._states.get(at)

    def look(self, addresses: set[int]) -> None:
        """Find the states before these addresses, for `value`."""
        self._walk(addresses)

    def value(self, at: int, atom: Atom) -> Value:
        """Return the value of a name before an address that was looked at."""
        return self._find_value(at, atom)

    def _walk(self, addresses: set[int]) -> None:
        """Find the states before these addresses, each function once."""
        by_function: dict[int, set[int]] = defaultdict(set)
        for at in addresses - self._states.keys():
            by_function[self.function(at)].add(at)
        for function, wanted in by_function.items():
            found = find_states(self._machine(function), wanted, self.budget)
            for at in wanted:
                self._states[at] = None if found is None else found.get(at)

    def _resolve_query(self, found: SiteNumbers, at: int, atom: Atom) -> list[Query]:
        """Note numbers; return the queries for the callers."""
        function = self.function(at)
        value = self._find_value(at, atom)
        if value is None:
            found.unresolved.add((function, at))
            return []
        following: list[Query] = []
        for origin in value:
            if isinstance(origin, int):
                found.numbers[function].add(origin & 0xFFFFFFFF)
            elif origin[0] == "address":
                found.addresses[function].add(origin[1])
            elif origin[0] == "frame":
                found.unresolved.add((function, at))
            else:
                found.wrappers.add(function)
                following += [(caller, origin) for caller in self.callers(self._starts[function])]
        return following

    def _find_value(self, at: int, atom: Atom) -> Value:
        state = self._states.get(at)
        if state is None or isinstance(atom, int):
            return None
        if atom[0] == "in":
            return state.get(atom[1])
        if atom[0] == "stack":
            top = find_frame_address(state.get(self._stack))
            pushed = 8 if at in self._pushes else 0
            return (
                None
                if top is None
                else load_word(state, move_address(top, atom[1] - pushed), _NUMBER)
            )
        return self._follow_pointer(state, atom)

    @staticmethod
    def _follow_pointer(state: State, atom: tuple[str, int] | tuple[str, int, int]) -> Value:
        """Return a word behind a pointer argument: in the caller's frame, or passed on."""
        pointer = state.get(atom[1])
        offset = atom[2] if len(atom) == 3 else 0
        frame = find_frame_address(pointer)
        if frame is not None:
            return load_word(state, move_address(frame, offset), _NUMBER)
        if pointer is not None and len(pointer) == 1:
            (only,) = pointer
            if isinstance(only, tuple) and only[0] == "in":
                return frozenset([("memory", only[1], offset)])
        return None
