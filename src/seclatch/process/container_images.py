"""Find the image of a container, with its digests, from its engine or its engine's storage."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

from seclatch.model.recording.origin import ContainerImage
from seclatch.process.containers import containerd_containers, docker_containers
from seclatch.process.containers.membership import FoundContainer, find_containers, find_members
from seclatch.process.process_entries import read_entries
from seclatch.system.procfs import ProcEntry, read_file

_SIZE = 16 << 20
_MAX_LENGTH = 4096
_QUERY_ERRORS = (
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    RecursionError,
    http.client.HTTPException,
    subprocess.SubprocessError,
)


def find_container_image(pid: int, identifier: str = "") -> ContainerImage | None:
    """Find the image of the container that a process is in, or is the shim or monitor of.

    `identifier`: the container's id, if known. None if no engine knows; takes some seconds at most.
    Only trusted shims and monitors are used: see `seclatch.process.containers.metadata_trust`.
    """
    entries = read_entries()
    containers = find_containers(entries)
    monitor = _find_monitor(pid, entries, containers)
    if not identifier:
        member = find_members(entries, containers).get(pid)
        identifier = member.id if member else ""
    return query_image(monitor, identifier, entries) if monitor else None


def query_image(
    monitor: FoundContainer, identifier: str, entries: Mapping[int, ProcEntry]
) -> ContainerImage | None:
    """Query the engine of a shim or monitor; None for no answer, or an unexpected one."""
    if identifier[:1] in ("", "-", ".") or "/" in identifier:
        return None  # an option, or the path of another resource of the API
    kinds = {
        "docker": _query_docker,
        "containerd": _query_containerd,
        "podman": _read_podman,
        "cri-o": _read_podman,
    }
    with contextlib.suppress(*_QUERY_ERRORS):
        name, identity, digest = kinds[monitor.engine](monitor, identifier, entries)
        return ContainerImage(
            name=name[:_MAX_LENGTH],
            id=_add_prefix(identity[:_MAX_LENGTH]),
            digest=_add_prefix(digest[:_MAX_LENGTH]),
        )
    return None


def _find_monitor(
    pid: int, entries: Mapping[int, ProcEntry], containers: Mapping[str, FoundContainer]
) -> FoundContainer | None:
    """Find the nearest shim or monitor above a process; parents' pids are read from the kernel."""
    monitors = {
        container.monitor: container
        for container in containers.values()
        if container.monitor and container.trusted
    }
    for _ in entries:
        if pid in monitors:
            return monitors[pid]
        if pid not in entries:
            break
        pid = entries[pid].status.parent
    return None


def _query_docker(
    _keeper: FoundContainer, identifier: str, entries: Mapping[int, ProcEntry]
) -> tuple[str, str, str]:
    for address in docker_containers.find_sockets(entries):
        if answer := docker_containers.get_json(address, f"/containers/{identifier}/json"):
            image = str(answer["Image"])
            digests = (docker_containers.get_json(address, f"/images/{image}/json") or {}).get(
                "RepoDigests"
            ) or ()
            digest = next((str(digest).partition("@")[2] for digest in digests), "")
            return str(answer["Config"]["Image"]), image, digest
    raise LookupError(identifier)


def _query_containerd(
    monitor: FoundContainer, identifier: str, _entries: Mapping[int, ProcEntry]
) -> tuple[str, str, str]:
    """Query containerd by its client, as root only: its arguments come from another process."""
    client = None if os.geteuid() else shutil.which("ctr", path=containerd_containers.PATH)
    if client is None:
        raise LookupError("ctr")
    prefix = [
        client,
        "--address",
        containerd_containers.find_socket(monitor),
        "--namespace",
        monitor.namespace,
    ]
    name = str(json.loads(_run_client([*prefix, "containers", "info", identifier]))["Image"])
    for line in _run_client([*prefix, "images", "ls", f"name=={name}"]).splitlines():
        words = line.split()
        if words[:1] == [name]:
            return name, "", next((word for word in words if word.startswith("sha256:")), "")
    return name, "", ""


def _run_client(words: list[str]) -> str:
    done = subprocess.run(
        words,
        capture_output=True,
        timeout=containerd_containers.SECONDS,
        check=True,
        text=True,
        errors="backslashreplace",
        stdin=subprocess.DEVNULL,
    )
    return done.stdout


def _read_podman(
    monitor: FoundContainer, identifier: str, _entries: Mapping[int, ProcEntry]
) -> tuple[str, str, str]:
    """Read podman's or CRI-O's storage; the bundle is `…/overlay-containers/ID/userdata`."""
    folder, found, _ = monitor.bundle.rpartition(f"/{monitor.id}/")
    if not found or not folder.endswith("-containers"):
        raise LookupError(monitor.bundle)
    # Storage keeps containers that are removed at their end (--rm) in a file of their own.
    container = _find_entry(f"{folder}/containers.json", identifier) or _find_entry(
        f"{folder}/volatile-containers.json", identifier
    )
    images = folder.removesuffix("-containers") + "-images/images.json"
    image = _find_entry(images, container["image"])
    name = json.loads(container.get("metadata") or "{}").get("image-name", "")
    return str(name or next(_list_names(image), "")), str(image["id"]), str(image.get("digest", ""))


def _find_entry(path: str, identifier: str) -> dict[str, Any]:
    entries: list[dict[str, Any]] = json.loads(read_file(path, _SIZE) or "[]")
    return next((entry for entry in entries if entry["id"] == identifier), {})


def _list_names(image: Mapping[str, Any]) -> Iterator[str]:
    yield from (str(name) for name in image.get("names") or ())


def _add_prefix(digest: str) -> str:
    return digest if digest.startswith("sha256:") or not digest else f"sha256:{digest}"
