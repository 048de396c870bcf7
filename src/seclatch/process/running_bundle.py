"""Find what a running container was made with: its profile, its runtime, and its names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from seclatch.process.containers.container_names import name_containers
from seclatch.process.containers.membership import find_containers, find_members
from seclatch.process.process_entries import read_entries

# Directories of runtimes' states: runc writes state.json there, crun status. See runc(8), crun(1).
_STATES = ("run/runc", "run/crun", "run/docker/runtime-*/*", "run/containerd/runc/*")
_FILES = {"state.json": "runc", "status": "crun"}
_FIFO = "exec.fifo"


@dataclass(frozen=True, slots=True)
class RunningBundle:
    """`seccomp` is `linux.seccomp` of its config.json, None if that has none or was not found."""

    identifier: str = ""
    name: str = ""
    runtime: str = ""
    seccomp: object = None


def find_running_bundle(pid: int) -> RunningBundle:
    """Return what is known of the container that a process is in."""
    entries = read_entries()
    member = find_members(entries, find_containers(entries)).get(pid)
    if member is None:
        return RunningBundle()
    known = name_containers([member], entries, [])[member.id]
    name = known.container.name or member.id
    return RunningBundle(member.id, name, find_runtime(member.id), known.seccomp)


def find_names(identifier: str) -> frozenset[str]:
    """Return the names of a running container: its own, and those in its pod."""
    entries = read_entries()
    found = find_containers(entries).get(identifier)
    if found is None:
        return frozenset()
    known = name_containers([found], entries, [])[identifier]
    shown = known.container
    return frozenset({shown.name, shown.pod, shown.title} - {""})


def find_runtime(identifier: str, root: Path = Path("/")) -> str:
    """Return the runtime that has a state directory for this container, "" if none has."""
    return next((runtime for _, runtime in _find_states(identifier, root)), "")


def awaits_start(identifier: str, root: Path = Path("/")) -> bool:
    """Return whether a container was created and not started: its init waits at `exec.fifo`.

    runc and crun remove it at the start. The container's processes cannot make it again.
    """
    return any((folder / _FIFO).is_fifo() for folder, _ in _find_states(identifier, root))


def _find_states(identifier: str, root: Path) -> Iterator[tuple[Path, str]]:
    if not identifier or "/" in identifier or identifier in (".", ".."):
        return
    for pattern in _STATES:
        with suppress(FileNotFoundError):  # an engine that ends removes one while they are listed
            for folder in root.glob(pattern):
                for file, runtime in _FILES.items():
                    if (folder / identifier / file).is_file():
                        yield folder / identifier, runtime
