"""Find the processes that a container's name or a process id stands for."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from seclatch.errors import SeclatchError
from seclatch.model.process import LiveProcess
from seclatch.process.process_snapshot import SnapshotRequest, take_snapshot
from seclatch.process.process_target import find_target
from seclatch.system.procfs import list_pids, list_threads, read_file, read_status
from seclatch.tighten.group_mounts import list_group_mounts

_GROUPS = 1 << 14
_ENGINE_ID = re.compile("[0-9a-f]{64}")
_PREFIXES = ("docker", "libpod", "crio", "cri-containerd", "nerdctl", "runc", "crun")
_MEMBERS = 1 << 25  # 4 million process ids, the kernel's limit


@dataclass(frozen=True, slots=True)
class TightenTarget:
    """A container or process. `first` is its first process; `selector`: words for seclatch-tighten.

    `whole`: all processes of the container are selected, and not only descendants of `first`.
    """

    name: str
    first: LiveProcess
    selector: tuple[str, ...]
    whole: bool
    notes: tuple[str, ...] = ()

    @property
    def container(self) -> str:
        """Return the container's id, "" for a bare process id."""
        return self.first.container.id if self.first.container and self.whole else ""


def find_tighten_target(text: str) -> TightenTarget:
    """Find the container of that name or id, or the process. Raises SeclatchError."""
    view = take_snapshot(SnapshotRequest(filters=False))
    first = find_target(text, view.processes)
    _require_other(first)
    if text.isdigit() and first.pid == int(text):
        return TightenTarget(text, first, (str(first.pid),), whole=False)
    return _select_container(text, first, tuple(view.notes))


def find_container_target(pid: int, identifier: str) -> TightenTarget:
    """Find the container of exactly that id, of which this is the first process.

    No text is looked up: an id of digits alone would be taken for that of a process. Raises
    SeclatchError.
    """
    view = take_snapshot(SnapshotRequest(filters=False))
    for process in view.processes:
        if process.pid == pid and process.container and process.container.id == identifier:
            _require_other(process)
            return _select_container(identifier, process, tuple(view.notes))
    raise SeclatchError(f"process {pid} is not in container {identifier} any more", status=2)


def _select_container(text: str, first: LiveProcess, notes: tuple[str, ...]) -> TightenTarget:
    identity = first.container.id if first.container else ""
    if group := _find_group(first.pid, identity):
        return TightenTarget(text, first, ("--cgroup", str(group)), True, notes)
    if _has_own_pids(first.pid):
        words = ("--namespace-of", str(first.pid))
        return TightenTarget(text, first, words, True, notes)
    note = (
        f"the container {text} has neither a control group nor process ids of its own: only its "
        "first process and what descends from it are bound"
    )
    return TightenTarget(text, first, (str(first.pid),), False, (*notes, note))


def list_target_pids(target: TightenTarget) -> list[int]:
    """List the processes of a target that live now, in no order."""
    kind, *rest = target.selector
    if kind == "--cgroup":
        return list(_list_group(Path(rest[0])))
    if kind == "--namespace-of":
        own = _read_namespace(rest[0])
        return [pid for pid in list_pids() if own and _read_namespace(str(pid)) == own]
    return list(_list_descendants(int(kind)))


def _list_descendants(pid: int) -> Iterator[int]:
    waiting = [pid] if read_status(pid) else []
    while waiting:
        found = waiting.pop()
        yield found
        for tid in list_threads(found):
            text = read_file(f"/proc/{found}/task/{tid}/children", _MEMBERS)
            waiting += map(int, text.split())


def _require_other(first: LiveProcess) -> None:
    """Refuse this process, its ancestors, and pid 1 of this host."""
    pid, own = os.getpid(), set()
    while pid > 0 and pid not in own:
        own.add(pid)
        stat = read_file(f"/proc/{pid}/stat", 4096).rpartition(b") ")[2].split()
        pid = int(stat[1]) if len(stat) > 1 else 0
    if first.pid in own | {1}:
        raise SeclatchError(
            f"process {first.pid} ({first.main.comm}) is this command's own ancestor, or the "
            "host's first process: the filter would bind this session as well",
            remedy="give a container, or a process that this session does not descend from",
            status=2,
        )


def _find_group(pid: int, identity: str) -> Path | None:
    """Find the folder of the container's control group: the part of the path that names it."""
    if not identity:
        return None
    mounts = list(list_group_mounts())
    for line in read_file(f"/proc/{pid}/cgroup", _GROUPS).decode("utf-8", "replace").splitlines():
        _, controllers, path = line.split(":", 2)
        own = _cut_after(path.split("/"), identity)
        for mount in mounts if own else ():
            is_unified = mount.kind == "cgroup2"
            fits = is_unified if not controllers else controllers in mount.options
            group = mount.folder / own.removeprefix(mount.root.rstrip("/")).lstrip("/")
            if fits and own.startswith(mount.root) and _holds(group, pid):
                return group
    return None


def _cut_after(parts: Sequence[str], identity: str) -> str:
    for number, part in enumerate(parts):
        if _names(part, identity):
            return "/".join(parts[: number + 1])
    return ""


def _names(part: str, identity: str) -> bool:
    """Return whether a group is the container's: ID, PREFIX-ID, PREFIX-ID.scope, and not 12 of 123.

    Ids that no engine made may contain hyphens, and be the end of another one.
    """
    if identity in (part, part.removesuffix(".scope")):
        return True
    prefix, hyphen, rest = part.removesuffix(".scope").partition(f"-{identity}")
    known = prefix in _PREFIXES or _ENGINE_ID.fullmatch(identity)
    return bool(hyphen) and not rest and bool(known) and not prefix.endswith("conmon")


def _holds(group: Path, pid: int) -> bool:
    """Return whether the process is in the group or one below."""
    return pid in _list_group(group)


def _list_group(group: Path) -> Iterator[int]:
    """Yield the processes of a group and those below."""
    for folder, _, files in os.walk(group):
        if "cgroup.procs" in files:
            yield from map(int, read_file(f"{folder}/cgroup.procs", _MEMBERS).split())


def _has_own_pids(pid: int) -> bool:
    own = _read_namespace(str(pid))
    return bool(own) and own not in (_read_namespace("self"), _read_namespace("1"))


def _read_namespace(process: str) -> int:
    """Return the inode number of the pid namespace of a process; 0 if that is not permitted."""
    with contextlib.suppress(OSError):
        return os.stat(f"/proc/{process}/ns/pid").st_ino  # noqa: PTH116 (a magic link)
    return 0
