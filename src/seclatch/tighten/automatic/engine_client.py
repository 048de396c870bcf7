"""How a container's engine is asked about it: its client, with the options that the engine has."""

from __future__ import annotations

import contextlib
import http.client
import itertools
from collections.abc import Mapping, Sequence

from seclatch.process.containers import docker_containers
from seclatch.process.containers.membership import find_containers
from seclatch.process.process_entries import read_entries
from seclatch.recording.ready.ready_condition import EngineContainer
from seclatch.system.procfs import ProcEntry


def find_engine_container(identifier: str) -> tuple[EngineContainer, ...]:
    """Return the container for queries by its engine's client; none where there is no such client.

    Found anew after the engine was restarted, for Docker's socket is reached through its process.
    """
    entries = read_entries()
    monitor = find_containers(entries).get(identifier)
    if monitor is None or not monitor.trusted or not identifier.isalnum():
        return ()
    if monitor.engine == "docker":
        return _find_docker(identifier, entries)
    if monitor.engine == "podman":
        options = read_podman_options(entries[monitor.monitor].argv)
        return (EngineContainer(("podman", *options), identifier),)
    return ()


def _find_docker(identifier: str, entries: Mapping[int, ProcEntry]) -> tuple[EngineContainer, ...]:
    for address in docker_containers.find_sockets(entries):
        with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
            if docker_containers.get_json(address, f"/containers/{identifier}/json"):
                return (EngineContainer(("docker", "--host", f"unix://{address}"), identifier),)
    return ()


def read_podman_options(conmon: Sequence[str]) -> list[str]:
    """Return podman's global options from the command that conmon runs at the container's end."""
    options: list[str] = []
    for word, value in itertools.pairwise(conmon):
        if word == "--exit-command-arg":
            if value == "container":
                return options
            options.append(value)
    return []
