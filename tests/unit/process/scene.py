"""Processes for tests."""

from __future__ import annotations

from typing import Any

from seclatch.process.kernel.kernel_filters import Held, Layer
from seclatch.system.procfs import ProcEntry, ProcStatus


def entry(pid: int, parent: int = 0, executable: str = "sh", **more: Any) -> ProcEntry:
    """Make a process; `mode` follows from `filters`."""
    filters = more.pop("filters", 0)
    status = ProcStatus(
        comm=more.pop("comm", executable[:15]),
        state="S",
        parent=parent,
        uid=0,
        threads=1,
        no_new_privs=False,
        mode=2 if filters else 0,
        filters=filters,
        capabilities=0,
        has_memory=True,
    )
    return ProcEntry(pid, status, executable=executable, **more)


def by_pid(*entries: ProcEntry) -> dict[int, ProcEntry]:
    return {process_entry.pid: process_entry for process_entry in entries}


def held(pid: int, *identities: int) -> Held:
    """Return a thread's filters as the kernel reports them: identities, the newest first."""
    return Held(
        pid,
        pid,
        2,
        len(identities),
        tuple(Layer(identity, bytes([identity])) for identity in identities),
    )
