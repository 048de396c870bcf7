"""A scan: the system calls that programs could make, as found in their binaries."""

from __future__ import annotations

from typing import Literal

import msgspec

SCHEMA = 1
"""Version of the scan file; it changes when a key changes its meaning or is removed."""


class CallChain(msgspec.Struct, frozen=True):
    """A reachable call.

    `chain` leads from where the loader begins to the function that makes it, each `FILE:FUNCTION`;
    the shortest that was found, one of many.
    """

    name: str
    number: int
    chain: tuple[str, ...]


class UnresolvedCall(msgspec.Struct, frozen=True):
    """A place that makes a call whose number could not be determined.

    `file` in the root directory, the function and the address in it, and why.
    """

    file: str
    function: str
    address: int
    why: str


class PassedArgument(msgspec.Struct, frozen=True):
    """The constants that a program passes in one argument of a call, its position from 0.

    `open` names functions that pass what is no constant: then it may be any value.
    """

    call: str
    index: int
    values: tuple[int, ...] = ()
    open: tuple[str, ...] = ()


class ScannedProgram(msgspec.Struct, frozen=True):
    """One executable.

    `because` is how it is run; `files` are the program and its libraries in search order. `missing`
    could not be found, `unread` not be analysed (with the reason). `runs_others`: it can execute
    further programs, which are not part of this. `loop_calls`: those of its calls that it can make
    from the function `main_loop` on; "" where that was not asked for, or is not in it.
    `arguments` has the selected arguments of calls that take very different requests; null in files
    of earlier versions.
    """

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
    main_loop: str = ""
    loop_calls: tuple[str, ...] = ()
    arguments: tuple[PassedArgument, ...] | None = None

    @property
    def whole(self) -> bool:
        """Return whether the calls are all that the program can make."""
        return not (self.open or self.missing or self.unread)


class Scan(msgspec.Struct, frozen=True):
    """The result of a scan: `source` as the user named it, `digest` of an image where known.

    `digests` are all by which the image may be known: of its manifests and of its configuration.
    `followed` are the paths of the programs and scripts that count as scanned, links too.
    `skipped` are executables of the image that are no programs for this, with the reason. `kernel`
    is the oldest supported one: calls that programs make only on older kernels are left out, as far
    as known.
    """

    source: str
    programs: tuple[ScannedProgram, ...]
    digest: str = ""
    skipped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    kernel: str = ""
    digests: tuple[str, ...] = ()
    followed: tuple[str, ...] = ()
    schema: int = SCHEMA
    kind: Literal["scan"] = "scan"

    @property
    def names(self) -> frozenset[str]:
        """Return the names of all calls that some program can make."""
        return frozenset(
            call.name for program in self.programs for call in program.calls if call.name
        )

    @property
    def start_calls(self) -> frozenset[str]:
        """Return the calls that no program can make from its main loop on."""
        later = {
            name
            for program in self.programs
            for name in (
                program.loop_calls if program.main_loop else [call.name for call in program.calls]
            )
        }
        return self.names - later

    @property
    def whole(self) -> bool:
        """Return whether that is all that the programs can make."""
        return all(program.whole for program in self.programs)

    def chain(self, name: str) -> tuple[str, ...]:
        """Return the shortest chain of any program that leads to a call; empty if there is none."""
        chains = [
            call.chain for program in self.programs for call in program.calls if call.name == name
        ]
        return min(chains, key=len, default=())
