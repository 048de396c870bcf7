"""The container that a supervisor waits for: its processes, once its program runs."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path

from seclatch.model.stage import Stage
from seclatch.process.containers.live_stages import find_stage
from seclatch.process.containers.membership import find_containers, find_members
from seclatch.process.process_entries import read_entries
from seclatch.recording.ready.ready_condition import EngineContainer
from seclatch.system.procfs import (
    ENDED,
    ProcEntry,
    read_mount_namespace,
    read_start,
    read_status,
)

_GRACE = 10.0
_EVERY = 0.2


@dataclass(slots=True)
class StartedContainer:
    """A container whose program runs. `handle`: a pidfd of its first process.

    A ReadyView for conditions; `containers` is set where its engine's client can be asked.
    """

    identifier: str
    pid: int
    handle: int
    containers: tuple[EngineContainer, ...] = field(default=())

    def list_pids(self) -> list[int]:
        """Return the processes that are in it now."""
        entries = read_entries()
        members = find_members(entries, find_containers(entries))
        return [pid for pid, found in members.items() if found.id == self.identifier]

    def has_ended(self) -> bool:
        """Return whether its first process has ended."""
        return bool(select.select([self.handle], [], [], 0)[0])

    def stop(self) -> None:
        """End it as engines do: SIGTERM, and ten seconds later SIGKILL for all of its processes."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.handle, signal.SIGTERM)
        select.select([self.handle], [], [], _GRACE)
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.handle, signal.SIGKILL)
        for _ in range(50):  # those of a container without process ids of its own stay
            left = self.list_pids()
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if not left:
                return
            time.sleep(_EVERY)


def has_processes(identifier: str) -> bool:
    """Return whether the container exists: one that was created has its runtime's init."""
    entries = read_entries()
    members = find_members(entries, find_containers(entries))
    return any(
        found.id == identifier and entries[pid].mounts != read_mount_namespace(os.getpid())
        for pid, found in members.items()
    )


def find_started(identifier: str, since: int) -> StartedContainer | None:
    """Return the container once its program runs; only one that has started after `since`."""
    for pid, entry in _list_roots(identifier, since):
        if _runs_program(entry) and (found := _open(identifier, pid, since)):
            return found
    return None


def find_unrecognised(identifier: str, since: int) -> StartedContainer | None:
    """Return the container although its program was not seen to run.

    The program may hide that: it names its file like a runtime, or is traced.
    """
    for pid, entry in _list_roots(identifier, since):
        if entry.mounts != read_mount_namespace(os.getpid()) and (
            found := _open(identifier, pid, since)
        ):
            return found
    return None


def _list_roots(identifier: str, since: int) -> list[tuple[int, ProcEntry]]:
    """List its processes without a parent in it, the oldest first.

    The name comes from the engine's command line. Other processes may claim to be of that
    container: only what a trusted shim, monitor or runtime state describes counts (decision 0026).
    """
    entries = read_entries()
    members = find_members(entries, find_containers(entries))
    found = [pid for pid, each in members.items() if each.id == identifier and each.trusted]
    inside = set(found)
    roots = [pid for pid in found if entries[pid].status.parent not in inside]
    starts = sorted((read_start(pid), pid) for pid in roots)
    return [(pid, entries[pid]) for start, pid in starts if since <= start < ENDED]


def _open(identifier: str, pid: int, since: int) -> StartedContainer | None:
    """Return the container with a handle of this process; None if that has ended."""
    with contextlib.suppress(OSError):
        found = StartedContainer(identifier, pid, os.pidfd_open(pid))
        if since <= read_start(pid) < ENDED and not found.has_ended():
            return found
        os.close(found.handle)
    return None


def _runs_program(entry: ProcEntry) -> bool:
    """Return whether it is past the runtime's code: the latch's tracer leaves at the exec.

    What sees the mounts of this process is another child of the monitor, or has just ended.
    """
    if entry.mounts in (0, read_mount_namespace(os.getpid())):
        return False
    status = read_status(entry.pid)
    if status is None or (status.tracer and not _is_inside(status.tracer, entry.pid)):
        return False
    return find_stage(entry, in_container=True) is Stage.PROGRAM


def _is_inside(tracer: int, pid: int) -> bool:
    """Return whether a tracer shares the container's process ids: the latch's is the host's."""
    own = _read_pid_namespace(os.getpid())
    return own != 0 and own != _read_pid_namespace(tracer) == _read_pid_namespace(pid) != 0


def _read_pid_namespace(pid: int) -> int:
    try:
        return os.stat(f"/proc/{pid}/ns/pid").st_ino  # noqa: PTH116 (through a magic link)
    except OSError:
        return 0


def read_front_identifier(words: tuple[str, ...]) -> str:
    """Return the container's name in the front's command line: a file's name, or ""."""
    name = words[-1] if words else ""
    return "" if "/" in name or name in ("", ".", "..") or len(name) > 255 else Path(name).name
