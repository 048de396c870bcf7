"""Calls that code makes itself, not by functions of the C library, and that lift library rules."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Set as AbstractSet

from seclatch.model.arch import Arch
from seclatch.model.syscall import load_syscalls
from seclatch.scan.elf.elf_file import X86_64
from seclatch.scan.ld.library_search import LoadedModule

UNKNOWN = "?"
"""A call whose number is unknown: it may be any."""


def find_own_calls(module: LoadedModule, names: AbstractSet[str]) -> dict[int, set[str]]:
    """Map functions of a module to the calls among `names` that they make, or UNKNOWN."""
    summary = module.summary
    known = load_syscalls(Arch.X86_64 if summary.machine == X86_64 else Arch.AARCH64).numbers
    numbers = {known[name]: name for name in names if name in known}
    found: dict[int, set[str]] = defaultdict(set)
    for function, made in summary.numbers.items():
        found[function] |= {numbers[number] for number in made if number in numbers}
    for function, _ in (*summary.unresolved, *summary.foreign):
        found[function].add(UNKNOWN)
    return {function: made for function, made in found.items() if made}


def meets(wanted: AbstractSet[str], made: AbstractSet[str]) -> bool:
    """Return whether one of the wanted calls is made, or may be."""
    return bool(wanted) and (UNKNOWN in made or not wanted.isdisjoint(made))
