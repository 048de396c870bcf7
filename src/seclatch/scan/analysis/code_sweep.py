"""The result of one sweep over a file's code: jumps, references, system call sites."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

CALL, JUMP, BRANCH = 1, 2, 3
"""Kinds of a transfer of control; a branch is conditional."""


@dataclass(slots=True)
class CodeSweep:
    """Results by address of the instruction (`at`).

    `transfers` are (at, target, kind) of calls, and of jumps that leave their function.
    `references` are (at, address) of data and code that an instruction names; `taken` are those of
    them (by `at`) that compute an address without reading there, and `tabled` those that lie in a
    table of offsets which it names. `sites` are system call instructions of the native ABI,
    `foreign` those of the 32-bit one (int 0x80, sysenter). `falls` are (start, next start) of
    functions that fall through into the next one. `endless` are the starts of functions that never
    return, as far as this can be seen; `twice` those of functions that may return again (setjmp),
    and the slots by which other files' are called.
    """

    transfers: list[tuple[int, int, int]] = field(default_factory=list)
    references: list[tuple[int, int]] = field(default_factory=list)
    tabled: set[tuple[int, int]] = field(default_factory=set)
    taken: set[int] = field(default_factory=set)
    sites: list[int] = field(default_factory=list)
    foreign: list[int] = field(default_factory=list)
    falls: list[tuple[int, int]] = field(default_factory=list)
    running: set[int] = field(default_factory=set)
    endless: set[int] = field(default_factory=set)
    twice: set[int] = field(default_factory=set)


def drop_returning(found: set[int], tails: Mapping[int, set[int]]) -> set[int]:
    """Return the functions that jumps (`tails`) do not lead out of the set.

    One step for each jump: a chain may be as long as a file.
    """
    sources: dict[int, list[int]] = defaultdict(list)
    for start, targets in tails.items():
        for target in targets:
            sources[target].append(start)
    left, work = set(found), [source for source in sources if source not in found]
    while work:
        for start in sources.get(work.pop(), ()):
            if start in left:
                left.remove(start)
                work.append(start)
    return left


class CodeSweeper(Protocol):
    """Sweeps a file's code repeatedly as more starts of functions become known."""

    def sweep(self, starts: list[int]) -> CodeSweep:
        """Decode every function; the starts are sorted."""
        ...
