"""Read podman's containers from its storage: there is no daemon, and its client takes locks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from seclatch.model.process import LiveContainer
from seclatch.process.containers.known_container import KnownContainer
from seclatch.process.containers.membership import FoundContainer
from seclatch.system.procfs import ProcEntry, read_file

_SIZE = 16 << 20


def query_podman(
    wanted: Mapping[str, FoundContainer], _entries: Mapping[int, ProcEntry], _notes: list[str]
) -> dict[str, KnownContainer]:
    """Read `containers.json` of each storage that a monitor works for."""
    known_by_id: dict[str, KnownContainer] = {}
    for path in {storage for container in wanted.values() if (storage := _find_storage(container))}:
        for identity, name, image in _read_storage(path):
            if identity in wanted:
                known_by_id[identity] = KnownContainer(LiveContainer(identity, name, image))
    return known_by_id


def _find_storage(found: FoundContainer) -> str:
    """Return the `containers.json` beside a bundle `…/overlay-containers/ID/userdata`."""
    if found.engine not in ("podman", "cri-o") or not found.bundle.endswith("/userdata"):
        return ""
    return found.bundle.rpartition(f"/{found.id}/")[0] + "/containers.json"


def _read_storage(path: str) -> list[tuple[str, str, str]]:
    """Return id, name and image of every container; none if the file is malformed."""
    try:
        containers = json.loads(read_file(path, _SIZE))
        return [_parse_entry(container) for container in containers]
    except (ValueError, TypeError, AttributeError, LookupError):
        return []


def _parse_entry(entry: dict[str, Any]) -> tuple[str, str, str]:
    metadata = json.loads(entry.get("metadata") or "{}")
    names = entry.get("names") or [metadata.get("name", "")]
    image = metadata.get("image-name") or entry.get("image", "")
    return str(entry.get("id", "")), str(names[0]), str(image)
