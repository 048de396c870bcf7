"""Who is believed when it says what containers there are.

Anybody may call a program `conmon` or `dockerd` and give it any words. Root on this host is
believed, and whoever runs this command; those inside of a container are not, root there or not.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import cache

from seclatch.system.procfs import ProcEntry, read_cgroups

HEXADECIMAL = re.compile(r"[0-9a-f]{64}")
"""An engine's own kind of container id."""


def is_trusted(entry: ProcEntry) -> bool:
    """May it tell about containers other than those that nobody else knows?"""
    return entry.status.uid in (0, os.geteuid()) and not is_contained(entry)


def is_contained(entry: ProcEntry) -> bool:
    """Does a control group of it bear a container's id?"""
    for path in entry.cgroups:
        for part in split_cgroup(path):
            prefix, _, rest = part.removesuffix(".scope").rpartition("-")
            if HEXADECIMAL.fullmatch(rest) and not prefix.endswith("conmon"):
                return True
    return False


def split_cgroup(path: str) -> Iterator[str]:
    """The names in a control group's path, the innermost first; without those of our own group: if
    this command runs in a container, that is the host of what it sees."""
    own = _own_parts()
    return (part for part in reversed(path.split("/")) if part and part not in own)


@cache
def _own_parts() -> frozenset[str]:
    return frozenset(part for path in read_cgroups(os.getpid()) for part in path.split("/"))
