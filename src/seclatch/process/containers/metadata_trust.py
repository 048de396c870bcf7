"""Decide which processes are trusted to describe containers.

Any user may run a program called `conmon` or `dockerd` with any arguments. Processes of root on
this host are trusted, and those of the user of this command; processes inside of a container are
not, root there or not (decision 0026).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import cache

from seclatch.system.procfs import ProcEntry, read_cgroups

HEXADECIMAL = re.compile(r"[0-9a-f]{64}")
"""The format of engines' container ids."""

_USER_SLICE = re.compile(r"/user\.slice/user-(\d{1,10})\.slice/")


def is_trusted(entry: ProcEntry) -> bool:
    """Return whether a process may describe containers that other sources know too."""
    return entry.status.uid in (0, os.geteuid()) and not is_contained(entry)


def is_contained(entry: ProcEntry) -> bool:
    """Return whether a control group of the process has a container's id."""
    for path in entry.cgroups:
        for part in split_cgroup(path):
            prefix, _, rest = part.removesuffix(".scope").rpartition("-")
            if HEXADECIMAL.fullmatch(rest) and not prefix.endswith("conmon"):
                return True
    return False


def is_of_another_user(path: str) -> bool:
    """Return whether a control group is in another user's part of systemd's tree.

    It is delegated to that user, who may name the groups in it as any engine does.
    """
    match = _USER_SLICE.search(path)
    return match is not None and int(match[1]) not in (0, os.geteuid())


def split_cgroup(path: str) -> Iterator[str]:
    """Yield the elements of a control group's path, the innermost first.

    Elements of this process's own group are left out: if it runs in a container, that container is
    the host of what it sees.
    """
    own = _read_own_parts()
    return (part for part in reversed(path.split("/")) if part and part not in own)


@cache
def _read_own_parts() -> frozenset[str]:
    return frozenset(part for path in read_cgroups(os.getpid()) for part in path.split("/"))
