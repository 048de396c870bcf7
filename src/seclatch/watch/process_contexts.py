"""Find what a process belongs to: container, unit, executable, stage.

A process may be gone a moment after its denial: it is looked up as soon as the kernel reports it.
Of one that is gone remain its pid namespace, its monitor, and what was known of it before.
"""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Final

from seclatch.model.denial_log import LoggedStage
from seclatch.model.seen_denial import CallDetails, SeenProcess
from seclatch.process.containers.container_names import name_containers
from seclatch.process.containers.known_container import KnownContainer
from seclatch.process.containers.live_stages import is_runtime
from seclatch.process.containers.membership import FoundContainer, find_containers
from seclatch.process.process_entries import read_entries
from seclatch.process.systemd_units import find_unit
from seclatch.system import procfs
from seclatch.system.procfs import ProcEntry
from seclatch.watch.container_namespaces import (
    ContainerNamespaces,
    ContainerScan,
    read_namespace,
)

_MAX_PROCESSES: Final = 8192
_MAX_CONTAINERS: Final = 4096
_ID_LENGTH: Final = 64
_RETRY_SECONDS: Final = 10.0
_MAX_RETRY_SECONDS: Final = 600.0
_TICK: Final = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class DeniedProcess:
    """What a process belongs to. `capabilities` is its bounding set, None if it was gone."""

    container: KnownContainer | None = None
    unit: str = ""
    exe: str = ""
    comm: str = ""
    uid: int = -1
    capabilities: int | None = None


@dataclass(slots=True)
class _Named:
    """A container as its engine describes it; one without a name is asked for again at `again`.

    `found`: as a process of it was found. find_containers() lists only the sandbox of a pod.
    """

    known: KnownContainer
    found: FoundContainer
    again: float
    pause: float = _RETRY_SECONDS


class DeniedProcesses:
    """Contexts of processes, remembered; the oldest are dropped. `notes`: what went wrong."""

    def __init__(self, *, names: bool = True) -> None:
        self.notes: list[str] = []
        self._names = names
        self._contexts: OrderedDict[SeenProcess, DeniedProcess] = OrderedDict()
        self._containers: OrderedDict[str, _Named] = OrderedDict()
        self._namespaces = ContainerNamespaces()
        self._namespaces.scan()

    def find(self, process: SeenProcess, details: CallDetails | None) -> DeniedProcess:
        """Return what is known of a process: looked up once, again when it has details."""
        known = self._contexts.get(process)
        if known is None or (known.container is None and details and not known.exe):
            known = self._look_up(process, details)
            self._contexts[process] = known
        self._contexts.move_to_end(process)
        while len(self._contexts) > _MAX_PROCESSES:
            self._contexts.popitem(last=False)
        if known.container is not None:
            identity = known.container.container.id
            return replace(known, container=self._refresh(identity, known.container))
        return known

    def find_stage(self, context: DeniedProcess, details: CallDetails | None) -> LoggedStage:
        """Return the stage of a denied call."""
        if details is None:
            return "program"
        if is_runtime(details.program, details.comm):
            return "runtime"
        entered = details.pids != self._namespaces.own and details.origin not in (0, 1)
        return "exec-session" if context.container and entered else "program"

    def find_exe(self, process: SeenProcess, details: CallDetails | None) -> str:
        """Return the executable's path, its base name if the process has ended or exec'd."""
        known = self.find(process, details)
        program = details.program if details else ""
        if not program or _is_named(known.exe, program):
            return known.exe
        path = _read_path(process.pid) if _read_entry(process) else ""
        if not _is_named(path, program):
            return program
        self._contexts[process] = replace(known, exe=path)
        return path

    def _look_up(self, process: SeenProcess, details: CallDetails | None) -> DeniedProcess:
        entry = _read_entry(process)
        found = self._find_container(entry, process, details)
        known = self._name(found) if found else None
        if entry is None:
            return DeniedProcess(known)
        return DeniedProcess(
            known,
            find_unit(entry),
            _read_path(process.pid),
            entry.status.comm,
            entry.status.uid,
            entry.status.capabilities,
        )

    def _find_container(
        self, entry: ProcEntry | None, process: SeenProcess, details: CallDetails | None
    ) -> FoundContainer | None:
        """Find the container of a process. All of /proc is read, once for each pid namespace."""
        if details and details.pids not in (0, self._namespaces.own):
            return self._find_by_namespace(process, details)
        if entry is None or not self._may_be_contained(entry):
            return None
        return self._namespaces.scan().members.get(process.pid)

    def _find_by_namespace(
        self, process: SeenProcess, details: CallDetails
    ) -> FoundContainer | None:
        known = self._namespaces.find(details.pids, details.reaper)
        if known or self._namespaces.is_unknown(details.pids, details.reaper):
            return known
        scan = self._namespaces.scan()
        found = (
            scan.members.get(process.pid)
            or self._namespaces.find(details.pids, details.reaper)
            or _find_below(scan, details.outside)
        )
        self._namespaces.learn(details.pids, details.reaper, found)
        return found

    def _may_be_contained(self, entry: ProcEntry) -> bool:
        """Return whether a control group may have a container's id, or the namespace be one's."""
        named = any(len(part) >= _ID_LENGTH for path in entry.cgroups for part in path.split("/"))
        return named or read_namespace(entry.pid) not in (0, self._namespaces.own)

    def _name(self, found: FoundContainer) -> KnownContainer:
        """Ask the engines for a container's name, once unless they do not know it."""
        named = self._containers.get(found.id)
        now = time.monotonic()
        is_named = named and named.known.trusted and named.known.container.name
        if named and (is_named or now < named.again):
            return named.known
        pause = min(named.pause * 2, _MAX_RETRY_SECONDS) if named else _RETRY_SECONDS
        entries = read_entries()
        full = find_containers(entries).get(found.id, found)
        if found.trusted and not full.trusted:  # any user's program claims to monitor it
            full = found
        if not full.bundle and named:
            full = named.found
        known = name_containers([full], entries if self._names else {}, self.notes)[found.id]
        self._containers[found.id] = _Named(known, full, now + pause, pause)
        while len(self._containers) > _MAX_CONTAINERS:
            self._containers.popitem(last=False)
        return known

    def _refresh(self, identity: str, known: KnownContainer) -> KnownContainer:
        named = self._containers.get(identity)
        if named is None:
            return known
        return self._name(named.found)


def identify_process(pid: int) -> SeenProcess:
    """Return the process that has this pid now, with its start; 0 if it has ended."""
    return SeenProcess(pid, procfs.read_start(pid) * _TICK)


def _read_entry(process: SeenProcess) -> ProcEntry | None:
    """Read a process, unless its pid is another one's by now."""
    status = procfs.read_status(process.pid)
    if status is None or not status.has_memory:
        return None
    if process.started and procfs.read_start(process.pid) != process.started // _TICK:
        return None
    return ProcEntry(
        process.pid,
        status,
        procfs.read_command_line(process.pid, status.state),
        procfs.read_executable(process.pid),
        procfs.read_cgroups(process.pid),
    )


def _find_below(scan: ContainerScan, monitor: int) -> FoundContainer | None:
    """Find the container of a shim or monitor; a shim may have those of a whole pod."""
    found = [one for one in scan.containers.values() if monitor and one.monitor == monitor]
    return found[0] if len(found) == 1 else None


def _is_named(path: str, program: str) -> bool:
    return path.removesuffix(" (deleted)").endswith(program)


def _read_path(pid: int) -> str:
    try:
        path = os.readlink(b"/proc/%d/exe" % pid)  # noqa: PTH115
    except OSError:
        return ""
    return path.decode("utf-8", "backslashreplace")
