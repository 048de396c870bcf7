"""Read all processes from /proc, as far as containers and stages are found by them."""

from __future__ import annotations

from seclatch.system import procfs
from seclatch.system.procfs import ProcEntry


def read_entries() -> dict[int, ProcEntry]:
    """Read every process except kernel threads."""
    entries = {}
    for pid in procfs.list_pids():
        status = procfs.read_status(pid)
        if status is None or not status.has_memory:
            continue
        argv = procfs.read_command_line(pid, status.state)
        entries[pid] = ProcEntry(
            pid,
            status,
            argv,
            procfs.read_executable(pid),
            procfs.read_cgroups(pid),
            mounts=procfs.read_mount_namespace(pid),
        )
    return entries
