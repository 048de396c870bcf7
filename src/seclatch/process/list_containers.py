"""List the containers that run here, by name and id: what a shell completes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from seclatch.model.process import LiveContainer
from seclatch.process.process_snapshot import SnapshotRequest, take_snapshot


def list_containers() -> Iterator[tuple[str, str]]:
    """Yield name (or id, where there is no name) and image of each container, each once."""
    for container in _find_containers():
        yield container.name or container.id, container.image


def list_pods() -> Iterator[tuple[str, str]]:
    """Yield NAMESPACE/POD/CONTAINER and image of each container of a pod, and NAMESPACE/POD."""
    for container in _find_containers():
        if container.pod:
            yield container.title, container.image


def _find_containers() -> Iterable[LiveContainer]:
    snapshot = take_snapshot(SnapshotRequest(filters=False))
    found = {
        process.container.id: process.container
        for process in snapshot.processes
        if process.container
    }
    return found.values()
