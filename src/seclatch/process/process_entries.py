"""Read all processes from /proc, as far as containers and stages are found by them."""

from __future__ import annotations

from seclatch.system import procfs
from seclatch.system.procfs import ProcEntry


def read_entries() -> dict[int, ProcEntry]:
    """Read every process except kernel threads."""
    entries = {}
    for pid in procfs.list_pids():
        if entry := procfs.read_entry(pid):
            entries[pid] = entry
    return entries
