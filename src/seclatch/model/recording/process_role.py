"""The role of a process in its program: the main process, or a worker that it has forked.

A role is read from what a process cannot choose freely: which file it runs, and which file its
parent runs. Its name (comm, argv) is its own to write. A process of a role that is wrongly taken
for another one keeps all filters that it has: filters by role only add.
"""

from __future__ import annotations

from collections.abc import Iterable

MAIN, WORKER = "main", "worker"
KINDS = (MAIN, WORKER)

SETTLE_SECONDS = 1
"""How long a process has run its program when its start counts as over."""


def name_role(program: str, parent_program: str) -> str:
    """Return PROGRAM:main, or PROGRAM:worker if the parent runs the same file; "" if unknown.

    Programs are paths; `parent_program` is "" for a container's first process.
    """
    name = program.removesuffix(" (deleted)").rpartition("/")[2]
    if not name:
        return ""
    return f"{name}:{WORKER if program == parent_program else MAIN}"


def fits_role(role: str, wanted: str) -> bool:
    """Return whether a role is the wanted one: `worker` of any program, or `nginx:worker`."""
    return bool(wanted) and wanted in (role, role.rpartition(":")[2])


def choose_role(role: str, wanted: Iterable[str]) -> str | None:
    """Return which of the wanted roles it is: of its program, of any, or "" for all others."""
    found = [each for each in wanted if fits_role(role, each)]
    return max(found, key=len) if found else "" if "" in wanted else None
