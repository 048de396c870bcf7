"""System calls: a name and a number, both on one architecture. Never a bare int."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import msgspec

from seclatch.model.arch import Arch

# Not by importlib.resources, whose own imports take longer than all the rest of this module.
_TABLES = Path(__file__).parent.parent / "data" / "syscalls"


@dataclass(frozen=True, slots=True)
class Syscall:
    """One call of one ABI. `number` is as in seccomp_data.nr: with x32's bit and MIPS's offset.

    `name` is libseccomp's, or "" for a number that has none.
    """

    arch: Arch
    number: int
    name: str = ""

    def __str__(self) -> str:
        """Return the name, or `#451` for a number without one."""
        return self.name or f"#{self.number}"


class _TableFile(msgspec.Struct, frozen=True):
    """The file that tools/syscall_tables.py writes."""

    source: dict[str, str]
    arch: str
    syscalls: dict[str, int]
    kernel_only: dict[str, int]
    multiplexed: dict[str, tuple[str, int]]


@dataclass(frozen=True, slots=True)
class SyscallTable:
    """The calls of one ABI, by name and by number.

    `multiplexed` holds the calls that (also) go through another: x86's `socket` through
    `socketcall` with 1 as first argument. A profile's rule for `socket` covers both. `newer` are
    those that the kernel headers name and libseccomp does not: runtimes built with that libseccomp
    ignore their names.
    """

    arch: Arch
    numbers: dict[str, int]
    names: dict[int, str]
    newer: frozenset[str]
    multiplexed: dict[str, tuple[str, int]]
    source: dict[str, str]

    def get(self, name: str) -> Syscall | None:
        """Find a call by name; None if this ABI has no number of its own for it."""
        number = self.numbers.get(name)
        return None if number is None else Syscall(self.arch, number, name)

    def at(self, number: int) -> Syscall:
        """Return the call with this number, named if the table knows it."""
        return Syscall(self.arch, number, self.names.get(number, ""))

    def has(self, name: str) -> bool:
        """Return whether a program can make this call here, by its own number or a multiplexer."""
        return name in self.numbers or name in self.multiplexed

    def all(self) -> list[Syscall]:
        """Return every call, sorted by number."""
        return [Syscall(self.arch, number, name) for number, name in sorted(self.names.items())]


@cache
def load_syscalls(arch: Arch) -> SyscallTable:
    """Load one ABI's table (cached; the first time takes less than a millisecond)."""
    path = _TABLES / f"{arch.title}.json"
    file = msgspec.json.decode(path.read_bytes(), type=_TableFile)
    numbers = file.syscalls | file.kernel_only
    names = {number: name for name, number in numbers.items()}
    newer = frozenset(file.kernel_only)
    return SyscallTable(arch, numbers, names, newer, file.multiplexed, file.source)


@cache
def list_syscall_names() -> frozenset[str]:
    """Return every name that some ABI has: any other is mistyped or newer than the tables."""
    return frozenset(
        name
        for arch in Arch
        for name in (*load_syscalls(arch).numbers, *load_syscalls(arch).multiplexed)
    )
