"""Public vulnerabilities of the kernel with the calls that reach them, and telling arguments.

Each row has the source that was opened for it; the files are in `seclatch/data/score`, their shape
in `seclatch/data/schemas/score-data-1.json`.
"""

from __future__ import annotations

from functools import cache
from importlib import resources

import msgspec


class CveCall(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A call, each argument of `args` (by index) with one of its values, the others with any."""

    call: str
    args: dict[str, tuple[int, ...]] = {}


class KernelCve(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A vulnerability. Each step of `needs` takes one of its calls.

    `capability`: a process without it must make a user namespace first; "" for none.
    """

    cve: str
    year: int
    title: str
    needs: tuple[tuple[CveCall, ...], ...]
    capability: str
    source: str


class KernelCves(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All rows, and the calls of which each makes a user namespace."""

    about: str
    user_namespace: tuple[CveCall, ...]
    cves: tuple[KernelCve, ...]

    def steps(self, cve: KernelCve, caps: frozenset[str]) -> tuple[tuple[CveCall, ...], ...]:
        """Return what a process with these capabilities needs."""
        if not cve.capability or cve.capability in caps:
            return cve.needs
        return (*cve.needs, self.user_namespace)


class DangerousArgument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Arguments with which a call opens a new kind of power."""

    label: str
    call: str
    args: dict[str, tuple[int, ...]]
    reason: str
    source: str

    @property
    def needed(self) -> CveCall:
        """The call with these arguments."""
        return CveCall(self.call, self.args)


class _ArgumentRows(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    about: str
    arguments: tuple[DangerousArgument, ...]


@cache
def load_kernel_cves() -> KernelCves:
    """Load the table of vulnerabilities."""
    return msgspec.json.decode(_read("kernel_cves"), type=KernelCves)


@cache
def load_dangerous_arguments() -> tuple[DangerousArgument, ...]:
    """Load the arguments that open a new kind of power."""
    return msgspec.json.decode(_read("arguments"), type=_ArgumentRows).arguments


def _read(name: str) -> bytes:
    return resources.files("seclatch.data").joinpath("score", f"{name}.json").read_bytes()
