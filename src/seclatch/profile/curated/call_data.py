"""Curated facts about system calls that decide what a generated profile holds.

Each row has its reason and source; the files are in `seclatch/data/generate`, their shape in
`seclatch/data/schemas/generate-data-1.json`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from importlib import resources

import msgspec


class AlwaysCall(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A call that a process cannot do without."""

    call: str
    reason: str
    source: str


class FallbackCall(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A call of Linux `kernel` that programs replace by `fallback` where it fails with ENOSYS."""

    call: str
    kernel: str
    fallback: str
    reason: str
    source: str


class RecentCalls(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Calls from a number on, which programs for older kernels do without, too."""

    number: int
    kernel: str
    reason: str
    source: str


class CallFamily(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Calls that are harmless for a program that makes one of `uses`.

    Or whose executable's name matches `programs`: an interpreter, which does what its script says.
    `danger` says what could be done with them at worst.
    """

    family: str
    uses: tuple[str, ...]
    adds: tuple[str, ...]
    reason: str
    danger: str
    programs: str = ""

    def find_programs(self, names: Iterable[str]) -> list[str]:
        """Return those of the executables' names for which the family is meant, sorted."""
        if not self.programs:
            return []
        return sorted(name for name in names if re.fullmatch(self.programs, name))


class DangerousCall(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A call that opens a new kind of power.

    `check`: `profile check` warns where it is allowed. `cves`: vulnerabilities that need it.
    """

    call: str
    reason: str
    check: bool
    sources: tuple[str, ...]
    cves: tuple[str, ...]


class _Always(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    about: str
    calls: tuple[AlwaysCall, ...]


class _Fallbacks(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    about: str
    recent: RecentCalls
    calls: tuple[FallbackCall, ...]


class _Families(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    about: str
    families: tuple[CallFamily, ...]


class _Dangerous(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    about: str
    calls: tuple[DangerousCall, ...]


@cache
def load_always() -> tuple[AlwaysCall, ...]:
    """Load the calls that a process cannot do without."""
    return msgspec.json.decode(_read("always"), type=_Always).calls


@cache
def load_fallbacks() -> dict[str, FallbackCall]:
    """Load the calls that programs replace where they fail with ENOSYS, by name."""
    return {row.call: row for row in _fallbacks().calls}


def load_recent() -> RecentCalls:
    """Load from which number on every call is one that programs do without."""
    return _fallbacks().recent


@cache
def load_families() -> tuple[CallFamily, ...]:
    """Load the families of the harmless closure."""
    return msgspec.json.decode(_read("families"), type=_Families).families


@cache
def load_dangerous() -> dict[str, DangerousCall]:
    """Load the calls that open a new kind of power, by name."""
    rows = msgspec.json.decode(_read("dangerous"), type=_Dangerous).calls
    return {row.call: row for row in rows}


@cache
def _fallbacks() -> _Fallbacks:
    return msgspec.json.decode(_read("fallbacks"), type=_Fallbacks)


def _read(name: str) -> bytes:
    return resources.files("seclatch.data").joinpath("generate", f"{name}.json").read_bytes()
