"""Values that code passes in selected arguments of some system calls.

By calls of the C library's functions for them, and by system call instructions, followed from
wrappers to their callers as the numbers are. What is not a constant is `ANY`, and so is what other
files may pass to a function that is none of the C library's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from seclatch.scan.analysis import constant_arguments as arguments
from seclatch.scan.analysis.abstract_values import Atom, Value
from seclatch.scan.analysis.constant_arguments import FileCode, ImportUses
from seclatch.scan.analysis.syscall_numbers import NumberResolver, Query
from seclatch.scan.analysis.text_arguments import ANY
from seclatch.scan.elf.elf_file import AARCH64, X86_64

SELECTED = {
    "socket": 0,
    "socketpair": 0,
    "setsockopt": 1,
    "prctl": 0,
    "ioctl": 1,
    "fcntl": 1,
    "madvise": 2,
    "personality": 0,
    "mmap": 2,
    "mprotect": 2,
    "pkey_mprotect": 2,
}
"""The argument of a call by which its uses are told apart: domain, level, option, request, command,
advice, persona, protection."""

FURTHER = {"setsockopt name": ("setsockopt", 2)}
"""A second argument of a call, under a name of its own."""

PLACES = {**{call: (call, index) for call, index in SELECTED.items()}, **FURTHER}
"""By the name in a row: the call, and the argument's position."""

FUNCTIONS = {
    **{name: name for name in SELECTED},
    **{f"__{name}": name for name in SELECTED},
    "fcntl64": "fcntl",
    "__fcntl64": "fcntl",
    "__libc_fcntl64": "fcntl",
    "mmap64": "mmap",
    "__mmap64": "mmap",
    "posix_madvise": "madvise",
    "__ioctl_time64": "ioctl",
}
"""Functions of C libraries that pass this argument on in the same place."""

_NUMBERS = {
    X86_64: (41, 53, 54, 157, 16, 72, 28, 135, 9, 10, 329),
    AARCH64: (198, 199, 208, 167, 29, 25, 233, 92, 222, 226, 288),
}
_DEPTH = 8
"""Nested wrappers to follow."""

Row = tuple[int, str, int]
"""A function, a name of `PLACES`, and the constant or ANY; function -1: a stored pointer."""


@dataclass(frozen=True, slots=True)
class _Site:
    """A place that makes calls: the atoms of the number and, by call, of the argument there.

    A value that is known already stands for the atom. A system call's first three arguments are in
    the registers of a function's.
    """

    at: int
    number: Atom
    given: tuple[Atom | Value, ...]


@dataclass(slots=True)
class _Trace:
    """The rows that were found, and the arguments that callers pass: (function, call, atom)."""

    rows: set[Row] = field(default_factory=set)
    asked: set[tuple[int, str, Atom]] = field(default_factory=set)


class PassedValues:
    """Follows the selected arguments through one file."""

    def __init__(
        self,
        code: FileCode,
        resolver: NumberResolver,
        places: arguments.ArgumentPlaces,
        number: int,
        stored: Iterable[int],
    ) -> None:
        self._code, self._resolver = code, resolver
        self._places, self._registers = places, places.registers
        self._number = number
        self._pointed = code.taken | set(stored)
        self._calls = dict(zip(_NUMBERS[code.elf.machine], SELECTED, strict=True))
        self._names: dict[int, set[str]] = {}
        for name, exports in code.known.exports.items():
            for each in exports:
                self._names.setdefault(each.address, set()).add(name)
        self._found = _Trace()

    def find(self, uses: ImportUses, sites: Iterable[int], named: set[Query]) -> list[Row]:
        """Return the rows of all calls of functions and of all system call instructions.

        `named` are the calls of the C library's syscall(2): the number is its first argument.
        """
        places = {name: SELECTED[call] for name, call in FUNCTIONS.items()}
        rows = arguments.find_constant_arguments(
            uses, self._code, self._resolver, places, self._places
        )
        self._found.rows |= {(function, FUNCTIONS[name], value) for function, name, value in rows}
        self._find_further(uses)
        names: list[Atom] = [("in", register) for register in self._registers]
        made = [_Site(at, ("in", self._number), tuple(names[:3])) for at in sites]
        self._follow_sites(made + [_Site(at, number, tuple(names[1:4])) for at, number in named])
        self._follow_callers()
        return sorted(self._found.rows)

    def _find_further(self, uses: ImportUses) -> None:
        """Note what calls of functions of other files pass in the second arguments."""
        for further, (call, index) in FURTHER.items():
            places = {name: index for name, passed in FUNCTIONS.items() if passed == call}
            rows = arguments.find_constant_arguments(
                uses, self._code, self._resolver, places, self._places
            )
            self._found.rows |= {(function, further, value) for function, _, value in rows}

    def _follow_sites(self, sites: list[_Site]) -> None:
        seen: set[_Site] = set()
        for _ in range(_DEPTH):
            self._resolver.look({site.at for site in sites})
            following: set[_Site] = set()
            for site in sites:
                following |= self._step(site)
            sites = [site for site in following if site not in seen]
            seen |= following
        for site in sites:
            for name in PLACES:
                self._found.rows.add((self._resolver.function(site.at), name, ANY))

    def _step(self, site: _Site) -> set[_Site]:
        """Note the calls that are made here by constant number; return those of the callers."""
        given = tuple(self._read(site.at, each) for each in site.given)
        following: set[_Site] = set()
        for atom in self._resolver.value(site.at, site.number) or ():
            if isinstance(atom, int):
                call = self._calls.get(atom & 0xFFFFFFFF)
                for name, (named, index) in PLACES.items() if call is not None else ():
                    if named == call:
                        self._note(site.at, name, given[index])
            elif atom[0] != "frame":
                passed = tuple(_only_name(value) for value in given)
                start = self._resolver.start(site.at)
                following |= {_Site(at, atom, passed) for at in self._resolver.callers(start)}
        return following

    def _read(self, at: int, given: Atom | Value) -> Value:
        return self._resolver.value(at, given) if isinstance(given, tuple) else _as_value(given)

    def _note(self, at: int, call: str, value: Value) -> None:
        """Note the constants of a value, and what callers are to be asked for."""
        function = self._resolver.function(at)
        for atom in (None,) if value is None else value:
            if isinstance(atom, int):
                self._found.rows.add((function, call, atom & 0xFFFFFFFF))
            elif atom is None or atom[0] == "frame":
                self._found.rows.add((function, call, ANY))
            else:
                self._found.asked.add((function, call, atom))

    def _follow_callers(self) -> None:
        done: set[tuple[int, str, Atom]] = set()
        for _ in range(_DEPTH):
            asked = self._found.asked - done
            done |= asked
            queries: dict[Query, set[str]] = {}
            for function, call, atom in asked:
                start = self._resolver.begin(function)
                if not self._is_closed(start, call, atom):
                    self._found.rows.add((function, call, ANY))
                for at in self._resolver.callers(start):
                    queries.setdefault((at, atom), set()).add(call)
            self._resolver.look({at for at, _ in queries})
            for (at, atom), calls in queries.items():
                for call in calls:
                    self._note(at, call, self._resolver.value(at, atom))
        for function, call, _ in self._found.asked - done:
            self._found.rows.add((function, call, ANY))

    def _is_closed(self, start: int, key: str, atom: Atom) -> bool:
        """Return whether all that may call a function is followed."""
        if start in self._pointed:
            return False
        call, index = PLACES[key]
        passed_on = atom == ("in", self._registers[index])
        names = self._names.get(start, ())
        return not names or (passed_on and all(FUNCTIONS.get(name) == call for name in names))


def _only_name(value: Value) -> Atom | Value:
    """Return the one name that a value is, or the value where it is constant."""
    if value is not None and len(value) == 1:
        (atom,) = value
        if isinstance(atom, tuple):
            return atom if atom[0] != "frame" else None
    return value if value is not None and all(isinstance(a, int) for a in value) else None


def _as_value(given: Atom | Value) -> Value:
    return given if isinstance(given, frozenset) else None
