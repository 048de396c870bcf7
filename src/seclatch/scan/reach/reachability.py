"""Reachability: from the loader's entry points, over calls, and over data that code refers to.

See docs/decisions/0050 (static analysis).
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from seclatch.scan.analysis.library_rules import LibraryRule, load_rules
from seclatch.scan.elf.relocations import SYMBOL
from seclatch.scan.ld.feature_imports import find_withheld_imports
from seclatch.scan.ld.library_search import LoadedModule
from seclatch.scan.ld.linker import LinkedProgram
from seclatch.scan.ld.symbol_binding import SymbolBinding
from seclatch.scan.reach.own_calls import UNKNOWN
from seclatch.scan.reach.rule_conditions import condition_holds
from seclatch.scan.reach.rule_state import RuleState

FUNCTION, OBJECT = 0, 1
Node = tuple[int, int, int]
"""Module, FUNCTION or OBJECT, index."""

Origin = Node | str
"""What led to a node: another, or why it is a root."""

STORED = "its address is stored, and it makes whatever call it is given"
_LOOKUPS = {"dlsym", "dlvsym"}
_OPENS = {"dlopen", "dlmopen"}
_LOOKED_UP, _EXPORTED = "looked up by name", "exported by a plugin"
_RUNNING = "of the main loop, or its address is known when that runs"
_ASKED = (_LOOKED_UP, _EXPORTED)  # their callers and arguments are unknown


@dataclass(slots=True)
class ReachedCode:
    """`sites[number]` are the functions that make a call, `origins` what led to each node.

    `unresolved` are (module, function, address, why) of sites whose number is not known.
    """

    rule_state: RuleState
    sites: dict[int, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    origins: dict[Node, Origin] = field(default_factory=dict)
    unresolved: set[tuple[int, int, int, str]] = field(default_factory=set)


class ReachabilityWalk:
    """Follows one program; more modules may be added on the way.

    `running`: start at these nodes, and not at the entry points of the program and its loader.
    """

    def __init__(self, program: LinkedProgram, running: tuple[Node, ...] = ()) -> None:
        self.program = program
        self._running = running
        self.rule_state = RuleState(program)
        self.reached = ReachedCode(self.rule_state)
        self._work: deque[Node] = deque()  # breadth first: chains are the shortest

        self._begun = 0
        self._binding = SymbolBinding(program)
        self._held: dict[str, list[tuple[Node, Origin]]] = defaultdict(list)
        self._rules = [rule for rule in load_rules().rules if rule.functions]
        self._rules_at: dict[int, dict[int, LibraryRule]] = {}
        self._imports: list[dict[str, LibraryRule]] = []
        self._asking: dict[str, list[tuple[int, str, str, int, Origin]]] = defaultdict(list)
        self._wrappers: list[set[int]] = []
        self._followed: list[set[int]] = []
        self._searching: set[int] = set()
        self._opening: set[int] = set()

    def follow(self) -> ReachedCode:
        """Follow everything, from the present modules and those that they open."""
        self._add_modules()
        while self._work:
            while self._work:
                self._step(self._work.popleft())
            self._add_modules()  # modules that were opened meanwhile
        return self.reached

    @property
    def searching(self) -> set[int]:
        """Return the modules whose code looks up functions by name."""
        return self._searching

    def need(self, names: Iterable[tuple[str, str]], why: str) -> None:
        """Reach the imports of a library that is not among the modules, by name and version."""
        self._add_modules()
        for name, version in sorted(names):
            self._follow_lifted(self.rule_state.ask(0, name, called=False))
            self._reach_symbol(0, name, version, 0, why)

    def _add_modules(self) -> None:
        """Start at what the loader calls in every module that was added since."""
        new = list(enumerate(self.program.modules))[self._begun :]
        self._begun += len(new)
        for index, module in new:
            self._binding.add(index, module)
            self._prepare_module(index, module)
        for index, module in new:
            self._reach_roots(index, module)
        for index, module in enumerate(self.program.modules[: self._begun - len(new)]):
            if module.called:
                self._reach_exports(index, module)  # more of them may be called now
        for node in self._running if new else ():
            self._reach(node, _RUNNING)
        for searching in self._searching:
            self._follow_dlsym(searching)

    def _prepare_module(self, index: int, module: LoadedModule) -> None:
        summary = module.summary
        self._wrappers.append(set(summary.wrappers))
        self._followed.append(set(summary.followed))
        self.rule_state.prepare(module)
        withheld = find_withheld_imports(module)
        lifted = {
            rule.name
            for rule in withheld.values()
            if rule.unless and condition_holds(rule.unless, self.program)
        }
        self._imports.append({n: rule for n, rule in withheld.items() if rule.name not in lifted})
        rules = [rule for rule in self._rules if rule.is_about(module.name, summary.machine)]
        self._rules_at[index] = {
            summary.function(address): rule
            for name, rows in (summary.exports.items() if rules else ())
            for rule in rules
            if rule.functions is not None and rule.functions.fullmatch(name)
            for _, _, address, _ in rows
        }

    def _reach_roots(self, index: int, module: LoadedModule) -> None:
        """Reach what the dynamic linker calls."""
        summary = module.summary
        starts = [(address, "called by the dynamic linker") for address in summary.roots]
        starts += [
            (resolver, "asked by the dynamic linker (ifunc)") for resolver in summary.resolvers
        ]
        begins = index == 0 or module is self.program.interpreter
        if summary.entry and begins and not self._running:
            starts.append((summary.entry, "the program's entry"))
        for name in load_rules().by_name:
            rows = summary.exports.get(name, ())
            starts += [(row[2], "called by the dynamic linker by name") for row in rows]
        for address, why in starts:
            self._reach_address(index, address, why)
        for name, version in summary.root_symbols:
            self._reach_symbol(index, name, version, 0, "called by the dynamic linker")
        for held in summary.threads:
            self._reach((index, OBJECT, held), "in each thread's own memory")
        self._reach_exports(index, module)

    def _reach_exports(self, index: int, module: LoadedModule) -> None:
        """Reach everything that a plugin exports, and everything in a Go program."""
        summary = module.summary
        if module.plugin:
            for name, rows in summary.exports.items():
                for _, _, address, _ in rows if module.is_called(name) else ():
                    self._reach_address(index, address, _EXPORTED)
        if summary.go:
            # Go's linker has removed unreachable code, also by types; this analysis could not.
            for function in range(len(summary.starts)):
                self._reach((index, FUNCTION, function), "in a Go program")

    def _step(self, node: Node) -> None:
        module, kind, index = node
        summary = self.program.modules[module].summary
        if kind == FUNCTION:
            self._follow_lifted(self.rule_state.enter(module, index))
            self._follow(module, FUNCTION, summary.calls(index), node)
            self._follow(module, OBJECT, summary.uses(index), node)
            return
        first, last = summary.pointer_first[index], summary.pointer_first[index + 1]
        called = index in self._followed[module]
        for pointed, value, addend in summary.pointers[first:last]:
            if pointed == SYMBOL:
                if value < len(summary.symbols):
                    self._reach_import(module, *summary.symbols[value], addend, node)
            else:
                self._reach_address(module, value, node, called=called)

    def _follow(self, module: int, kind: int, indices: list[int], origin: Node) -> None:
        """Reach the new nodes: most are not new, and testing here is much quicker."""
        origins = self.reached.origins
        for index in indices:
            node = (module, kind, index)
            if node not in origins:
                self._reach(node, origin)

    def _reach_import(
        self, module: int, name: str, version: str, addend: int, origin: Origin
    ) -> None:
        rule = self._imports[module].get(name)
        if rule is not None and self.rule_state.is_held(rule):
            self._asking[rule.name].append((module, name, version, addend, origin))
        else:
            self._reach_symbol(module, name, version, addend, origin)

    def _reach_symbol(
        self, module: int, name: str, version: str, addend: int, origin: Origin
    ) -> None:
        found = self._binding.find(name, version)
        if name in _LOOKUPS:
            self._follow_dlsym(module)
        elif name in _OPENS:
            self._follow_dlopen(module)
        if found is not None and self._is_itself(*found, origin):
            found = self._binding.search(
                name, version, but=module
            )  # a copy relocation: bound to the next one
        if found is None:
            return
        target, address = found
        if target != module:
            self._follow_lifted(self.rule_state.ask(module, name))
        self._note_wrapper(module, name, target, address, origin)
        self._reach_address(target, address + addend, origin, called=True)
        others = self._binding.opened(module, found, name)
        others += [] if version else self._binding.unversioned(found, name)
        for place in (*self._binding.elsewhere(target, name), *others):
            self._reach_address(*place, origin, called=True)

    def _is_itself(self, target: int, address: int, origin: Origin) -> bool:
        index = self.program.modules[target].summary.object(address)
        return index >= 0 and origin == (target, OBJECT, index)

    def _note_wrapper(
        self, module: int, name: str, target: int, address: int, origin: Origin
    ) -> None:
        """Note that a module imports a function that may make any call."""
        wrapped = self.program.modules[target].summary.function(address)
        if wrapped in self._wrappers[target] and name != "syscall":
            # Its own library may reach it by its stub, too, where no constants are followed.
            self._add_unresolved(target, wrapped, f"exported as {name}, called with any number")
        elif name == "syscall" and target != module and self._is_stored(module, origin):
            self._add_unresolved(
                module, self._find_user(origin), "it can call syscall(2) by a pointer"
            )

    def _is_stored(self, module: int, origin: Origin) -> bool:
        """Return whether a variable led to syscall(2), and not the linker's own word."""
        kept = self.program.modules[module].summary.stored
        return isinstance(origin, tuple) and origin[1] == OBJECT and origin[2] in kept

    def _find_user(self, origin: Origin) -> int:
        """Return the function of a module that refers to an object, maybe through others."""
        while isinstance(origin, tuple) and origin[1] == OBJECT:
            origin = self.reached.origins[origin]
        return origin[2] if isinstance(origin, tuple) else 0

    def _follow_lifted(self, rules: list[LibraryRule]) -> None:
        """Follow what rules have held back that are lifted now."""
        for rule in rules:
            for node, origin in self._held.pop(rule.name, []):
                self._reach(node, origin)
            for asking in self._asking.pop(rule.name, []):
                self._reach_symbol(*asking)

    def _follow_dlsym(self, module: int) -> None:
        """Follow dlsym(3): any string of its callers may name what any module exports.

        Itself too: RTLD_DEFAULT finds that first in a program, and a library that looks up its own
        name means it.
        """
        self._searching.add(module)
        for name in self.program.modules[module].summary.looked_up:
            for index, other in enumerate(self.program.modules[: self._begun]):
                rows = other.summary.exports.get(name, ()) if other.is_called(name) else ()
                for _, _, address, _ in rows:
                    self._follow_lifted(self.rule_state.ask(module, name, called=False))
                    self._reach_address(
                        index, address, f"{_LOOKED_UP} in {self._name_module(module)}"
                    )

    def _follow_dlopen(self, module: int) -> None:
        """Follow dlopen(3): load the libraries that its strings and notes name, if present."""
        if module in self._opening:
            return
        self._opening.add(module)
        loader = self.program.modules[module]
        missing = list(self.program.missing)
        for name in (*loader.summary.noted, *loader.summary.opened):
            self.program.open(name, loader)
        self.program.missing = missing  # a library that dlopen(3) does not find is not missing

    def _name_module(self, module: int) -> str:
        return self.program.modules[module].name

    def _reach_address(
        self, module: int, address: int, origin: Origin, *, called: bool = False
    ) -> None:
        """Reach what is at an address: a function, or a data object."""
        summary = self.program.modules[module].summary
        function = summary.function(address)
        if function >= 0:
            known = isinstance(origin, str) and not origin.startswith(_ASKED)
            if not called and function in self._wrappers[module] and not known:
                self._add_unresolved(module, function, STORED)
            self._reach((module, FUNCTION, function), origin)
            return
        index = summary.object(address)
        if index >= 0:
            self._reach((module, OBJECT, index), origin)

    def _add_unresolved(self, module: int, function: int, why: str) -> None:
        start = self.program.modules[module].summary.starts[function]
        self.reached.unresolved.add((module, function, start, why))
        self._follow_lifted(self.rule_state.make(module, {UNKNOWN}))

    def _reach(self, node: Node, origin: Origin) -> None:
        if node in self.reached.origins:
            return
        if node[1] == FUNCTION:
            rule = self._rules_at[node[0]].get(node[2])
            within = isinstance(origin, tuple) and origin[0] == node[0]
            if rule is not None and within and self.rule_state.is_held(rule):
                self._held[rule.name].append((node, origin))
                return
        self.reached.origins[node] = origin
        self._work.append(node)
