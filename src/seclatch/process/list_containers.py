"""List the containers that run here, by name and id: what a shell completes."""

from __future__ import annotations

from collections.abc import Iterator

from seclatch.process.process_snapshot import SnapshotRequest, take_snapshot


def list_containers() -> Iterator[tuple[str, str]]:
    """Yield name (or id, where there is no name) and image of each container, each once."""
    snapshot = take_snapshot(SnapshotRequest(filters=False))
    found = {
        process.container.id: process.container
        for process in snapshot.processes
        if process.container
    }
    for container in found.values():
        yield container.name or container.id, container.image
