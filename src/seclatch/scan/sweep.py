"""What one pass over a file's code finds: jumps, references to addresses, system call sites."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

CALL, JUMP, BRANCH = 1, 2, 3
"""Kinds of a transfer of control; a branch is conditional."""


@dataclass(slots=True)
class Sweep:
    """Everything by address of the instruction (`at`).

    `transfers` are (at, target, kind) of calls, and of jumps that leave the function that they
    are in. `references` are (at, address) of data and code that an instruction names; `taken`
    are those of them (by `at`) that compute an address without reading there. `sites` are system
    call instructions of the native ABI, `foreign` those of the 32-bit one (int 0x80). `falls` are
    (start, next start) of functions whose code runs on into the next one. `endless` are the
    starts of functions that never return, as far as this can be seen; `twice` those of functions
    that may return again (setjmp), and the slots by which other files' are called.
    """

    transfers: list[tuple[int, int, int]] = field(default_factory=list)
    references: list[tuple[int, int]] = field(default_factory=list)
    taken: set[int] = field(default_factory=set)
    sites: list[int] = field(default_factory=list)
    foreign: list[int] = field(default_factory=list)
    falls: list[tuple[int, int]] = field(default_factory=list)
    running: set[int] = field(default_factory=set)
    endless: set[int] = field(default_factory=set)
    twice: set[int] = field(default_factory=set)


class Sweeper(Protocol):
    """Passes over a file's code, again and again as more starts of functions become known."""

    def sweep(self, starts: list[int]) -> Sweep:
        """Decode every function; the starts are in order."""
        ...
