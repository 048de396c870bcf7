"""A scan: which system calls programs could make, as found in their binaries."""

from __future__ import annotations

from typing import Literal

import msgspec

SCHEMA = 1
"""Version of the scan file; it changes when a key changes its meaning or goes."""


class CallChain(msgspec.Struct, frozen=True):
    """A call that is reachable. `chain` leads from where the loader begins to the function that
    makes it, each `FILE:FUNCTION`; the shortest that was found, one of many."""

    name: str
    number: int
    chain: tuple[str, ...]


class UnresolvedCall(msgspec.Struct, frozen=True):
    """A place that makes a call which could not be told: `file` in the root directory, the
    function and the address in it, and why."""

    file: str
    function: str
    address: int
    why: str


class ScannedProgram(msgspec.Struct, frozen=True):
    """One executable. `because` says how it is run; `files` are it and its libraries in the order
    in which they are searched. `missing` could not be found, `unread` not be analysed (with the
    reason). `runs_others`: it can execute further programs, which are not part of this."""

    path: str
    arch: str
    because: str
    files: tuple[str, ...]
    calls: tuple[CallChain, ...]
    open: tuple[UnresolvedCall, ...] = ()
    missing: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    plugins: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    runs_others: bool = False

    @property
    def whole(self) -> bool:
        """Whether the calls are all that the program can make."""
        return not (self.open or self.missing or self.unread)


class Scan(msgspec.Struct, frozen=True):
    """What was scanned: `source` as the user named it, `digest` of an image where known.

    `skipped` are executables of the image that are no programs for this, with the reason. `kernel`
    is the oldest that it is for: what programs do on those before is left out, as far as known.
    """

    source: str
    programs: tuple[ScannedProgram, ...]
    digest: str = ""
    skipped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    kernel: str = ""
    schema: int = SCHEMA
    kind: Literal["scan"] = "scan"

    @property
    def names(self) -> frozenset[str]:
        """Every call that some program can make."""
        return frozenset(call.name for each in self.programs for call in each.calls if call.name)

    @property
    def whole(self) -> bool:
        """Whether that is all that they can make."""
        return all(each.whole for each in self.programs)

    def chain(self, name: str) -> tuple[str, ...]:
        """The shortest chain that leads to a call, of all programs'; empty if there is none."""
        chains = [call.chain for each in self.programs for call in each.calls if call.name == name]
        return min(chains, key=len, default=())
