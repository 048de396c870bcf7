"""Curated rules about library features that static analysis cannot derive.

The rows are in data/scan/*.toml, each with its reason.

See docs/decisions/0053 (library code that is never reached).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from seclatch.scan.analysis.text_arguments import KINDS
from seclatch.scan.elf.elf_file import AARCH64, X86_64

Version = tuple[int, int]
"""A kernel version, without its patch level."""

OLDEST: Version = (4, 18)
"""The oldest kernel that a scan assumes by default: RHEL 8's."""


@dataclass(frozen=True, slots=True)
class ArgumentCondition:
    """A condition on a constant argument.

    It holds if one of `functions` is called with a constant of `among`, or one that is not of
    `other_than`, or one that has one of `bits`, or with an unknown value, as its `argument` (from
    0). `text`: the argument is a text, and the constants are kinds (`text_arguments`). `also`: a
    second argument must meet a condition of its own, in this call or another.
    """

    functions: frozenset[str]
    argument: int
    among: frozenset[int] = frozenset()
    bits: int = 0
    other_than: frozenset[int] | None = None
    text: bool = False
    also: ArgumentCondition | None = None

    def opens(self, name: str, constant: int) -> bool:
        """Return whether a call with this constant (or ANY) meets the condition."""
        if name not in self.functions:
            return False
        if self.other_than is not None and constant not in self.other_than:
            return True
        return constant < 0 or constant in self.among or bool(constant & self.bits)


@dataclass(frozen=True, slots=True)
class LibraryRule:
    """Functions or numbers of one library that are reached only on behalf of some interface.

    `library` matches sonames, of one `machine` (e_machine) or of all (0). `functions` match
    exported names of it to which edges from within are held back, `syscalls` names of calls that
    its code makes, until something outside refers to a name that `opened_by` matches, or to one
    with a value of `values`. `unless` names conditions of the root directory or of how the program
    is linked that lift the rule (`rule_conditions`). `own`: (name, function, callee): lifted by a
    reference to the name if the library's function of that name calls the callee itself; older
    versions do. With none of these, never. `guards` are the other functions of the library that can
    reach it, for which the reason holds. `imports` are functions of other libraries that it is held
    back from, if it refers to each in one place only (in as many as `places`); references among
    modules of its `family` (sonames) lift nothing. `makes`: calls that lift it where code outside
    of the C library and its family makes them itself, or one whose number is unknown. With
    `anywhere` it is held back from them wherever it refers to them, if it exports `exports`, unless
    the condition holds when it is loaded. `kernel`: the calls are for those before this version;
    from it on `values` lift nothing, and before it, where there are none, the kernel itself does.
    """

    name: str
    library: re.Pattern[str]
    functions: re.Pattern[str] | None
    syscalls: frozenset[str]
    opened_by: re.Pattern[str] | None
    reason: str
    values: tuple[ArgumentCondition, ...] = ()
    unless: str = ""
    own: tuple[str, str, str] | None = None
    guards: re.Pattern[str] | None = None
    imports: frozenset[str] = frozenset()
    family: re.Pattern[str] | None = None
    kernel: Version = (0, 0)
    machine: int = 0
    anywhere: bool = False
    exports: str = ""
    places: int = 1
    makes: frozenset[str] = frozenset()

    def is_about(self, name: str, machine: int) -> bool:
        """Return whether it is about a library of this soname."""
        fits = self.machine in (0, machine)
        return fits and self.library.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class KnownSites:
    """Calls of sites that cannot be resolved.

    At most `most` sites of one library, of those whose function is `stored` in data, or of the
    others. `within`: only of the functions with such a name; with `nameless`, where the library has
    no such name (its symbols are stripped), of one that has no name. `asked`: only if the library
    is asked for a name that this matches, else they make no call. `machine`: only of that
    architecture (e_machine), or of all (0).
    """

    library: re.Pattern[str]
    stored: bool
    most: int
    syscalls: tuple[str, ...]
    reason: str
    asked: re.Pattern[str] | None = None
    within: re.Pattern[str] | None = None
    nameless: bool = False
    machine: int = 0

    def is_about(self, name: str, machine: int) -> bool:
        """Return whether it is about a library of this soname."""
        return self.machine in (0, machine) and self.library.fullmatch(name) is not None

    def among(self, names: Mapping[int, str]) -> Callable[[int], bool]:
        """Return a test for the functions whose sites it can be about.

        `names` are the names of the library's functions, of those that have one.
        """
        if self.within is None:
            return lambda function: True
        named = {function for function, name in names.items() if self.within.fullmatch(name)}
        if self.nameless and not named:
            return lambda function: function not in names
        return named.__contains__


@dataclass(frozen=True, slots=True)
class LibraryRules:
    """All rules, known sites, and names that the loader looks up, which are roots.

    `arguments`: the functions on whose argument of that position (from 0) rules depend, `texts`
    those whose argument is a text, `second` further arguments by `name_second`; `endless`: those
    that never return.
    """

    rules: tuple[LibraryRule, ...]
    known: tuple[KnownSites, ...]
    by_name: dict[str, str]
    arguments: dict[str, int]
    texts: frozenset[str]
    second: dict[str, int]
    endless: re.Pattern[str]


_MACHINES = {"": 0, "x86_64": X86_64, "aarch64": AARCH64}
_FILES = (
    "audit.toml",
    "glibc.toml",
    "libcap.toml",
    "openssl.toml",
    "systemd.toml",
    "util-linux.toml",
)


def read_rule_files() -> bytes:
    """Return the rows as they are written."""
    folder = resources.files("seclatch.data") / "scan"
    return b"".join((folder / name).read_bytes() for name in _FILES)


@cache
def load_rules() -> LibraryRules:
    """Load the rows (once)."""
    rows = tomllib.loads(read_rule_files().decode("utf-8"))
    rules = tuple(_parse_rule(row) for row in rows["rule"])
    return LibraryRules(
        rules=rules,
        known=tuple(map(_parse_known, rows["known"])),
        by_name={row["function"]: row["reason"] for row in rows["root"]},
        arguments={
            name: value.argument
            for rule in rules
            for value in rule.values
            for name in value.functions
        },
        texts=frozenset(
            name
            for rule in rules
            for value in rule.values
            if value.text
            for name in value.functions
        ),
        second={
            name: value.also.argument
            for rule in rules
            for value in rule.values
            if value.also
            for name in value.functions
        },
        endless=re.compile("|".join(row["functions"] for row in rows["endless"])),
    )


def _parse_rule(row: dict[str, Any]) -> LibraryRule:
    def pattern(key: str) -> re.Pattern[str] | None:
        return re.compile(row[key]) if key in row else None

    library = pattern("library")
    if library is None:
        raise ValueError(f"rule {row['name']}: no library")
    return LibraryRule(
        name=row["name"],
        library=library,
        functions=pattern("functions"),
        syscalls=frozenset(row.get("syscalls", "").split()),
        opened_by=pattern("opened_by"),
        reason=row["reason"],
        values=tuple(map(_value, row.get("values", ()))),
        unless=row.get("unless", ""),
        own=tuple(row["own"]) if "own" in row else None,
        guards=pattern("guards"),
        imports=frozenset(row.get("imports", "").split()),
        family=pattern("family"),
        kernel=_version(row.get("kernel", "0.0")),
        machine=_MACHINES[row.get("machine", "")],
        anywhere=row.get("anywhere", False),
        exports=row.get("exports", ""),
        places=row.get("places", 1),
        makes=frozenset(row.get("makes", "").split()),
    )


def name_second(function: str) -> str:
    """Return the name under which constants of a function's second such argument are kept."""
    return f"{function} (second)"


def _parse_known(row: dict[str, Any]) -> KnownSites:
    return KnownSites(
        re.compile(row["library"]),
        row["stored"],
        row["most"],
        tuple(row["syscalls"].split()),
        row["reason"],
        re.compile(row["asked"]) if "asked" in row else None,
        re.compile(row["within"]) if "within" in row else None,
        row.get("nameless", False),
        _MACHINES[row.get("machine", "")],
    )


def _version(text: str) -> Version:
    major, minor = text.split(".")
    return int(major), int(minor)


def _value(row: dict[str, Any]) -> ArgumentCondition:
    return ArgumentCondition(
        frozenset(row["functions"]),
        row["argument"],
        frozenset(row.get("among", ())) | frozenset(KINDS[kind] for kind in row.get("texts", ())),
        row.get("bits", 0),
        frozenset(row["other_than"]) if "other_than" in row else None,
        "texts" in row,
        _value({"functions": map(name_second, row["functions"]), **row["also"]})
        if "also" in row
        else None,
    )
