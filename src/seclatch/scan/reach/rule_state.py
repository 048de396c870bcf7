"""What is asked of libraries, by name and by constant argument: which gates that opens."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable

from seclatch.scan.analysis.constant_arguments import ANY
from seclatch.scan.analysis.library_rules import LibraryRule, load_rules
from seclatch.scan.ld.library_search import LoadedModule
from seclatch.scan.ld.linker import LinkedProgram
from seclatch.scan.reach.rule_conditions import condition_holds

_LIBC = "libc.so.6"


class RuleState:
    """Collects what is asked from outside of the C library while a program is followed."""

    def __init__(self, program: LinkedProgram) -> None:
        self._program = program
        self.asked: set[str] = set()
        self._constants: set[tuple[str, int]] = set()
        self._calls: list[dict[int, list[tuple[str, int]]]] = []
        self._told: list[set[str]] = []
        self._held = [
            each for each in load_rules().gates if each.functions or each.imports or each.family
        ]
        self._families = [each for each in self._held if each.family]
        self._open: set[str] = set()

    def prepare(self, module: LoadedModule) -> None:
        """Take in the next module's calls with constant arguments."""
        calls: dict[int, list[tuple[str, int]]] = defaultdict(list)
        for function, name, constant in module.summary.arguments:
            calls[function].append((name, constant))
        self._calls.append(calls)
        self._told.append({name for _, name, _ in module.summary.arguments})

    def ask(self, index: int, name: str, *, called: bool = True) -> list[LibraryRule]:
        """A module refers to a name of another; answers with the gates that hold functions back
        and that this opens. Not `called`: it looks the name up, and calls it nobody knows how."""
        module = self._program.modules[index]
        if module is self._program.interpreter or module.name == _LIBC:
            return []  # what the C library asks the loader for is their own matter
        held = self._families if name in self.asked else self._held
        found = self._opened(lambda gate: _names(gate, name) and not _own(gate, module), held)
        self.asked.add(name)
        if name in load_rules().arguments:
            stored = (name, ANY) in self._calls[index].get(-1, ())
            if not called or stored or name not in self._told[index]:
                found += self._call(name, ANY)
        return found

    def enter(self, index: int, function: int) -> list[LibraryRule]:
        """A function is reached: what it calls with which constants."""
        calls = self._calls[index].get(function, ())
        return [gate for name, constant in calls for gate in self._call(name, constant)]

    def _call(self, name: str, constant: int) -> list[LibraryRule]:
        if (name, constant) in self._constants:
            return []
        self._constants.add((name, constant))
        return self._opened(lambda gate: _has_value(gate, name, constant))

    def _opened(
        self, opens: Callable[[LibraryRule], bool], held: list[LibraryRule] | None = None
    ) -> list[LibraryRule]:
        """Open what a name or a call opens, of the gates that hold functions back."""
        held = self._held if held is None else held
        found = [each for each in held if each.name not in self._open and opens(each)]
        self._open |= {each.name for each in found}
        return found

    def is_held(self, gate: LibraryRule) -> bool:
        """Whether a gate still holds functions back."""
        return gate.name not in self._open and not self._opened_by_kernel(gate)

    def _opened_by_kernel(self, gate: LibraryRule) -> bool:
        return self._program.kernel < gate.kernel and not gate.values

    def _is_asked(self, gate: LibraryRule) -> bool:
        return any(_names(gate, name) for name in self.asked)

    def is_open(self, gate: LibraryRule, module: LoadedModule) -> bool:
        """Whether a library makes the calls that a gate is about, after all is followed."""
        if gate.name in self._open if gate.family else self._is_asked(gate):
            return True
        new = bool(gate.kernel[0]) and self._program.kernel >= gate.kernel
        if not new and any(_has_value(gate, *each) for each in self._constants):
            return True
        if self._opened_by_kernel(gate):
            return True
        if gate.unless and condition_holds(gate.unless, self._program):
            return True
        if gate.own is None or not any(re.fullmatch(gate.own[0], each) for each in self.asked):
            return False
        caller, callee = (_function(module, name) for name in gate.own[1:])
        return caller >= 0 and callee in module.summary.calls(caller)


def _names(gate: LibraryRule, name: str) -> bool:
    return gate.opened_by is not None and gate.opened_by.fullmatch(name) is not None


def _own(gate: LibraryRule, module: LoadedModule) -> bool:
    return gate.family is not None and gate.family.fullmatch(module.name) is not None


def _has_value(gate: LibraryRule, name: str, constant: int) -> bool:
    return any(value.opens(name, constant) for value in gate.values)


def _function(module: LoadedModule, name: str) -> int:
    rows = module.summary.exports.get(name, ())
    return next((module.summary.function(row[2]) for row in rows), -1)
