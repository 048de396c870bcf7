"""Find which container a process is in: from control groups, shims, monitors, runtimes' states.

See decision 0067.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from seclatch.model.process import SeccompMode
from seclatch.process.containers.live_stages import read_program_name
from seclatch.process.containers.metadata_trust import (
    HEXADECIMAL,
    is_contained,
    is_of_another_user,
    is_trusted,
    split_cgroup,
)
from seclatch.system.procfs import ProcEntry, read_file

# State directories of runtimes that were called without an engine, or by podman.
_STATE_FILES = {"/run/runc": "state.json", "/run/crun": "status"}
_STATE_SIZE = 1 << 20
_MAX_STATES = 4096

# docker-ID.scope, libpod-ID.scope, crio-ID.scope, cri-containerd-ID.scope: systemd's cgroup driver.
_PREFIXES = {
    "docker": "docker",
    "libpod": "podman",
    "crio": "cri-o",
    "cri-containerd": "containerd",
}


@dataclass(frozen=True, slots=True)
class FoundContainer:
    """A container that a shim, monitor or runtime state describes.

    `monitor`: pid of the shim or monitor, 0 for a runtime's state. `bundle`: the directory of
    config.json as seen from this process. `trusted`: see
    `seclatch.process.containers.metadata_trust`.
    """

    id: str
    engine: str
    monitor: int = 0
    namespace: str = ""
    address: str = ""
    bundle: str = ""
    name: str = ""
    init: int = 0
    trusted: bool = True


def find_containers(entries: Mapping[int, ProcEntry]) -> dict[str, FoundContainer]:
    """Return all containers that shims, monitors and runtimes' states describe, by id.

    An untrusted source counts only for ids that no trusted one has, and that have an engine's
    format: a user's `conmon -c system.slice` must not take the services of the host.
    """
    claims = [container for entry in entries.values() if (container := _read_monitor(entry))]
    found = {
        container.id: container
        for container in claims
        if not container.trusted and HEXADECIMAL.fullmatch(container.id)
    }
    found |= {state.id: state for state in _read_states()}
    return found | {container.id: container for container in claims if container.trusted}


def _read_monitor(entry: ProcEntry) -> FoundContainer | None:
    name = read_program_name(entry)
    container = None
    if name.startswith("containerd-shim"):
        container = _read_shim(entry)
    elif name == "conmon":
        container = _read_conmon(entry)
    return replace(container, trusted=is_trusted(entry)) if container else None


def find_members(
    entries: Mapping[int, ProcEntry], containers: Mapping[str, FoundContainer]
) -> dict[int, FoundContainer]:
    """Return the container of each process that is in one."""
    inits = {found.init: found for found in containers.values() if found.init}
    monitors = {found.monitor: found for found in containers.values() if found.monitor}
    containers = {**containers, **_adopt_claimed(entries, containers, monitors)}
    groups = _find_groups(entries, containers, inits, monitors)
    members: dict[int, FoundContainer] = {}
    judged: set[int] = set()

    def judge(pid: int) -> FoundContainer | None:
        """Walk the ancestors iteratively: a process is in its parent's container by default."""
        path = []
        while pid in entries and pid not in judged:
            judged.add(pid)
            path.append(pid)
            pid = entries[pid].status.parent
        above = members.get(pid)
        for ancestor in reversed(path):
            entry = entries[ancestor]
            grouped = _find_by_group(entry, containers, monitors, groups)
            above = grouped or inits.get(ancestor) or monitors.get(entry.status.parent) or above
            if ancestor not in inits and _is_outside(entry, entries, monitors, grouped):
                above = None
            if above:
                members[ancestor] = above
        return above

    for pid in entries:
        judge(pid)
    return _complete(members)


def _complete(members: dict[int, FoundContainer]) -> dict[int, FoundContainer]:
    """Give all processes of a container what is known by one of them, a child of its shim.

    The parent of others may be the sandbox's process, in a pod whose containers share their pids.
    """
    known = {found.id: found for found in members.values() if found.monitor and found.trusted}
    return {
        pid: known.get(found.id, found) if found.trusted else found
        for pid, found in members.items()
    }


def _adopt_claimed(
    entries: Mapping[int, ProcEntry],
    containers: Mapping[str, FoundContainer],
    monitors: Mapping[int, FoundContainer],
) -> dict[str, FoundContainer]:
    """Return the containers that a trusted shim has, and that an untrusted program claims.

    A pod's shim does not name them, so any user's `conmon -c ID` would be the only one that does.
    """
    found = {}
    for entry in entries.values():
        monitor = monitors.get(entry.status.parent)
        if monitor and monitor.trusted and monitor.engine == "containerd":
            for claimed, _ in _list_identified(entry, containers):
                if not claimed.trusted:
                    found[claimed.id] = replace(monitor, id=claimed.id)
    return found


_Groups = Mapping[str, set[str]]


def _find_groups(
    entries: Mapping[int, ProcEntry],
    containers: Mapping[str, FoundContainer],
    inits: Mapping[int, FoundContainer],
    monitors: Mapping[int, FoundContainer],
) -> _Groups:
    """Return the control groups of containers by their ids, as first processes have them.

    Any user may give a control group of the own session a container's name (systemd-run --user).
    """
    groups: dict[str, set[str]] = {}
    for entry in entries.values():
        monitor = monitors.get(entry.status.parent)
        if entry.pid in inits or (monitor and monitor.trusted):
            for found, group in _list_identified(entry, containers):
                groups.setdefault(found.id, set()).add(group)
    return groups


def _list_identified(
    entry: ProcEntry, containers: Mapping[str, FoundContainer]
) -> Iterator[tuple[FoundContainer, str]]:
    """Yield the containers that control groups name, with the group's path."""
    for path in entry.cgroups:
        for part in split_cgroup(path):
            if identified := _identify(part, containers):
                if identified.id not in containers and is_of_another_user(path):
                    identified = replace(identified, trusted=False)
                yield identified, path[: path.rindex(part) + len(part)]


def _find_by_group(
    entry: ProcEntry,
    containers: Mapping[str, FoundContainer],
    monitors: Mapping[int, FoundContainer],
    groups: _Groups,
) -> FoundContainer | None:
    monitor = monitors.get(entry.status.parent)
    for identified, group in _list_identified(entry, containers):
        if group in groups.get(identified.id, {group}):
            return _adopt_monitor(identified, monitor)
    return None


def _adopt_monitor(found: FoundContainer, monitor: FoundContainer | None) -> FoundContainer:
    """Take a shim's bundle and address for a container that its argv does not name.

    There is one shim for a pod, which names the sandbox.
    """
    if found.monitor or monitor is None or not monitor.trusted or monitor.engine != "containerd":
        return found
    return replace(monitor, id=found.id)


def _identify(part: str, containers: Mapping[str, FoundContainer]) -> FoundContainer | None:
    """Read one element of a control group's path."""
    if part in containers:
        return containers[part]
    prefix, _, rest = part.removesuffix(".scope").rpartition("-")
    if prefix.endswith("conmon"):
        return None
    if rest in containers and prefix in _PREFIXES:
        return containers[rest]
    if HEXADECIMAL.fullmatch(rest):
        return containers.get(rest) or FoundContainer(rest, _PREFIXES.get(prefix, ""))
    return None


def _is_outside(
    entry: ProcEntry,
    entries: Mapping[int, ProcEntry],
    monitors: Mapping[int, FoundContainer],
    grouped: FoundContainer | None,
) -> bool:
    """Return whether a process manages a container from outside: shim, monitor, runtime, recorder.

    What a shim or monitor started and sees the same mounts is in no container: the latch's tracer,
    the recorder of an annotated container, a program that writes logs.
    """
    name = read_program_name(entry)
    if name.startswith("containerd-shim") or name == "conmon":
        # a container's own program may have such a name, or claim to monitor another container
        claimed = monitors.get(entry.pid)
        return not grouped or bool(claimed and (claimed.trusted or claimed.id == grouped.id))
    parent = entries.get(entry.status.parent)
    if parent and parent.pid in monitors and entry.mounts and entry.mounts == parent.mounts:
        return not is_contained(entry)
    if entry.status.mode == SeccompMode.FILTER or entry.status.comm.startswith("runc:["):
        return False
    return name in ("runc", "crun")


def _read_shim(entry: ProcEntry) -> FoundContainer | None:
    options = _parse_options(entry.argv)
    identity = options.get("id")
    if not identity:
        return None
    namespace = options.get("namespace", "")
    engine = "docker" if namespace == "moby" else "containerd"
    # A shim's working directory is its bundle. Those of other containers of a pod are beside it.
    return FoundContainer(
        identity, engine, entry.pid, namespace, options.get("address", ""), f"/proc/{entry.pid}/cwd"
    )


def _read_conmon(entry: ProcEntry) -> FoundContainer | None:
    options = _parse_options(entry.argv)
    identity = options.get("c") or options.get("cid")
    if not identity:
        return None
    bundle = options.get("b") or options.get("bundle") or ""
    if "exec-process-spec" in options and HEXADECIMAL.fullmatch(bundle.rpartition("/")[2]):
        bundle = bundle.rpartition("/")[0]  # Podman's exec sessions: a folder below the container's
    engine = "podman" if "--exit-command" in entry.argv else "cri-o"
    return FoundContainer(
        identity,
        engine,
        entry.pid,
        bundle=f"/proc/{entry.pid}/root{bundle}" if bundle else "",
        name=options.get("n") or options.get("name") or "",
    )


def _parse_options(argv: tuple[str, ...]) -> dict[str, str]:
    """Return the first value of each option, `-id X`, `--id X` or `-id=X`."""
    options: dict[str, str] = {}
    for word, following in zip(argv, (*argv[1:], ""), strict=False):
        name, equals, value = word.lstrip("-").partition("=")
        if word.startswith("-") and name:
            options.setdefault(name, value if equals else following)
    return options


def _read_states() -> Iterator[FoundContainer]:
    for folder, file in _STATE_FILES.items():
        try:
            names = sorted(path.name for path in Path(folder).iterdir())[:_MAX_STATES]
        except OSError:
            continue
        for name in names:
            if state := _read_state(Path(folder) / name / file, name):
                yield state


def _read_state(path: Path, identity: str) -> FoundContainer | None:
    try:
        state = json.loads(read_file(str(path), _STATE_SIZE))
        labels = dict(label.split("=", 1) for label in state.get("config", {}).get("labels", ()))
        bundle = state.get("bundle") or labels.get("bundle") or ""
        init = int(state.get("init_process_pid") or state.get("pid") or 0)
    except (ValueError, AttributeError, TypeError):
        return None
    return FoundContainer(identity, path.parts[2], bundle=str(bundle), init=init)
