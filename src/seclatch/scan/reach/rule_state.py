"""Track which rules are lifted by imported names and constant arguments."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable

from seclatch.scan.analysis.library_rules import (
    ArgumentCondition,
    LibraryRule,
    load_rules,
    name_second,
)
from seclatch.scan.analysis.text_arguments import ANY
from seclatch.scan.ld.library_search import LoadedModule
from seclatch.scan.ld.linker import LinkedProgram
from seclatch.scan.reach import own_calls
from seclatch.scan.reach.rule_conditions import condition_holds

_LIBC = "libc.so.6"


class RuleState:
    """Collects the names and constants of calls to a library while a program is followed."""

    def __init__(self, program: LinkedProgram) -> None:
        self._program = program
        self.asked: set[str] = set()
        self._constants: set[tuple[str, int]] = set()
        self._calls: list[dict[int, list[tuple[str, int]]]] = []
        self._told: list[set[str]] = []
        self._held = [
            rule for rule in load_rules().rules if rule.functions or rule.imports or rule.family
        ]
        self._families = [rule for rule in self._held if rule.family]
        self._makers = [rule for rule in load_rules().rules if rule.makes]
        self._own_calls: list[dict[int, set[str]]] = []
        self._open: set[str] = set()

    def take_over(self, other: RuleState) -> None:
        """Lift what another walk through the same program has lifted."""
        self.asked |= other.asked
        self._constants |= other._constants
        self._open |= other._open

    def prepare(self, module: LoadedModule) -> None:
        """Add the next module's calls with constant arguments."""
        calls: dict[int, list[tuple[str, int]]] = defaultdict(list)
        for function, name, constant in module.summary.arguments:
            calls[function].append((name, constant))
        self._calls.append(calls)
        self._told.append({name for _, name, _ in module.summary.arguments})
        watched = {name for rule in self._makers for name in rule.makes}
        self._own_calls.append(own_calls.find_own_calls(module, watched))

    def ask(self, index: int, name: str, *, called: bool = True) -> list[LibraryRule]:
        """Note a reference to another module's name; return the rules that this lifts.

        Not `called`: the name is looked up, and called with unknown arguments.
        """
        module = self._program.modules[index]
        if self._is_internal(module):
            return []  # references of the C library to the loader are internal
        held = self._families if name in self.asked else self._held
        found = self._opened(
            lambda rule: _matches_name(rule, name) and not _is_in_family(rule, module), held
        )
        self.asked.add(name)
        for key in (name, name_second(name)) if name in load_rules().arguments else ():
            stored = (key, ANY) in self._calls[index].get(-1, ())
            if not called or stored or key not in self._told[index]:
                found += self._call(key, ANY)
        return found

    def enter(self, index: int, function: int) -> list[LibraryRule]:
        """Note that a function is reached; return the rules that its constant arguments lift."""
        calls = self._calls[index].get(function, ())
        found = [rule for name, constant in calls for rule in self._call(name, constant)]
        made = self._own_calls[index].get(function)
        return found + self.make(index, made) if made else found

    def make(self, index: int, made: set[str]) -> list[LibraryRule]:
        """Note calls that a module makes itself; return the rules that this lifts."""
        module = self._program.modules[index]
        if self._is_internal(module):
            return []
        return self._opened(
            lambda rule: own_calls.meets(rule.makes, made) and not _is_in_family(rule, module),
            self._makers,
        )

    def _is_internal(self, module: LoadedModule) -> bool:
        return module is self._program.interpreter or module.name == _LIBC

    def _call(self, name: str, constant: int) -> list[LibraryRule]:
        if (name, constant) in self._constants:
            return []
        self._constants.add((name, constant))
        return self._opened(self._has_values)

    def _opened(
        self, opens: Callable[[LibraryRule], bool], held: list[LibraryRule] | None = None
    ) -> list[LibraryRule]:
        """Lift the rules that a name or a call lifts, of those that hold functions back."""
        held = self._held if held is None else held
        found = [rule for rule in held if rule.name not in self._open and opens(rule)]
        self._open |= {rule.name for rule in found}
        return found

    def is_held(self, rule: LibraryRule) -> bool:
        """Return whether a rule still holds functions back."""
        return rule.name not in self._open and not self._opened_by_kernel(rule)

    def _opened_by_kernel(self, rule: LibraryRule) -> bool:
        return self._program.kernel < rule.kernel and not rule.values

    def _is_asked(self, rule: LibraryRule) -> bool:
        return any(_matches_name(rule, name) for name in self.asked)

    def _has_values(self, rule: LibraryRule) -> bool:
        """Return whether the calls so far meet a condition of a rule on arguments."""
        return any(
            self._is_met(value) and (value.also is None or self._is_met(value.also))
            for value in rule.values
        )

    def _is_met(self, value: ArgumentCondition) -> bool:
        return any(value.opens(*call) for call in self._constants)

    def is_open(self, rule: LibraryRule, module: LoadedModule) -> bool:
        """Return whether a library makes the calls of a rule, after all code was followed."""
        opened = (rule.family or rule.makes) and rule.name in self._open
        if opened or (not rule.family and self._is_asked(rule)):
            return True
        new = bool(rule.kernel[0]) and self._program.kernel >= rule.kernel
        if not new and self._has_values(rule):
            return True
        if self._opened_by_kernel(rule):
            return True
        if rule.unless and condition_holds(rule.unless, self._program):
            return True
        if rule.own is None or not any(re.fullmatch(rule.own[0], name) for name in self.asked):
            return False
        caller, callee = (_find_function(module, name) for name in rule.own[1:])
        return caller >= 0 and callee in module.summary.calls(caller)


def _matches_name(rule: LibraryRule, name: str) -> bool:
    return rule.opened_by is not None and rule.opened_by.fullmatch(name) is not None


def _is_in_family(rule: LibraryRule, module: LoadedModule) -> bool:
    return rule.family is not None and rule.family.fullmatch(module.name) is not None


def _find_function(module: LoadedModule, name: str) -> int:
    rows = module.summary.exports.get(name, ())
    return next((module.summary.function(row[2]) for row in rows), -1)
