"""Bind names to modules, in the dynamic linker's order of lookup."""

from __future__ import annotations

from seclatch.scan.ld.library_search import LoadedModule
from seclatch.scan.ld.linker import LinkedProgram

Place = tuple[int, int]
"""Module, address."""


class SymbolBinding:
    """Binds the names of one program, among the modules that were added."""

    def __init__(self, program: LinkedProgram) -> None:
        self._program = program
        self._index: dict[int, int] = {}
        self._found: dict[tuple[str, str], Place | None] = {}

    def add(self, index: int, module: LoadedModule) -> None:
        """Add a module: names that were not found, or found in a later one, may be in it."""
        self._found.clear()
        self._index[id(module)] = index

    def find(self, name: str, version: str) -> Place | None:
        """Return where a name is bound; None if no module exports it."""
        key = (name, version)
        if key not in self._found:
            self._found[key] = self.search(name, version)
        return self._found[key]

    def search(self, name: str, version: str, but: int = -1) -> Place | None:
        """Look a name up without the cache; skip the module of number `but`."""
        for module in self._program.scope:
            if self._index.get(id(module), but) == but:
                continue  # opened just now, and not begun
            rows = module.summary.exports.get(name, ())
            fitting = [row for row in rows if not version or row[0] in (version, "")]
            if fitting:
                row = next((row for row in fitting if row[0] == version or row[1]), fitting[0])
                return self._index[id(module)], row[2]
        return None

    def unversioned(self, found: Place, name: str) -> list[Place]:
        """Return further definitions of an unversioned name in the module that has it.

        It is bound to the oldest one there, even if others cannot see it any more, and looked up it
        is the default one (elf/dl-lookup.c, check_match).
        """
        rows = self._program.modules[found[0]].summary.exports.get(name, ())
        return [(found[0], row[2]) for row in rows if row[2] != found[1]]

    def opened(self, module: int, found: Place, name: str) -> list[Place]:
        """Return where a name of an opened module may be bound besides what was found.

        A module that was opened by dlopen(3) sees itself (RTLD_LOCAL), if the program has no such
        name, or even if it has one (RTLD_DEEPBIND).
        """
        first = self._program.at_start
        if module < first:
            return []
        return [
            (index, address)
            for index, other in enumerate(self._program.modules[first:], first)
            for _, _, address, _ in other.summary.exports.get(name, ())
            if (index, address) != found and self._index.get(id(other)) is not None
        ]

    def elsewhere(self, target: int, name: str) -> list[Place]:
        """Return where a name is in the variants of a library."""
        return [
            (self._index[id(variant)], address)
            for variant in self._program.modules[target].variants
            for _, _, address, _ in variant.summary.exports.get(name, ())
        ]
