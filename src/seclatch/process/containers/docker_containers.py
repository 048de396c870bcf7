"""Query Docker's daemon through its socket (the Engine API, GET only)."""

from __future__ import annotations

import http.client
import json
import os
import socket
import time
from collections.abc import Iterator, Mapping
from typing import Any

from seclatch.model.process import LiveContainer
from seclatch.process.containers.known_container import KnownContainer
from seclatch.process.containers.live_stages import read_program_name
from seclatch.process.containers.membership import FoundContainer
from seclatch.process.containers.metadata_trust import is_trusted
from seclatch.system.procfs import ProcEntry

SECONDS = 2.0
_TOTAL_SECONDS = 5.0
_MAX_ANSWER = 4 << 20
_DEFAULT_SOCKET = "/run/docker.sock"
DEFAULT = "docker-default"


def query_docker(
    wanted: Mapping[str, FoundContainer], entries: Mapping[int, ProcEntry], notes: list[str]
) -> dict[str, KnownContainer]:
    """Query every dockerd of this host about the containers that may be its own."""
    identifiers = [
        container.id for container in wanted.values() if container.engine in ("docker", "")
    ]
    known_by_id: dict[str, KnownContainer] = {}
    for address in find_sockets(entries) if identifiers else ():
        try:
            for known in _query_daemon(
                address, [identifier for identifier in identifiers if identifier not in known_by_id]
            ):
                known_by_id[known.container.id] = known
        except (OSError, ValueError, http.client.HTTPException) as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            notes.append(f"docker ({address}) did not return names: {reason}")
    return known_by_id


def find_sockets(entries: Mapping[int, ProcEntry]) -> Iterator[str]:
    """Yield the default socket, and those in the arguments of running daemons."""
    daemons = [
        entry
        for entry in entries.values()
        if read_program_name(entry) == "dockerd" and is_trusted(entry)
    ]
    addresses: dict[str, None] = {}
    for daemon in daemons:
        own: dict[str, None] = {}
        words = daemon.argv
        for word, following in zip(words, (*words[1:], ""), strict=False):
            value = following if word in ("-H", "--host") else word.partition("=")[2]
            if value.startswith("unix://"):
                own[f"/proc/{daemon.pid}/root{value.removeprefix('unix://')}"] = None
        addresses |= own or {f"/proc/{daemon.pid}/root{_DEFAULT_SOCKET}": None}
    if not daemons or os.geteuid():
        addresses = {_DEFAULT_SOCKET: None}
    yield from addresses


def _query_daemon(address: str, identities: list[str]) -> Iterator[KnownContainer]:
    builtin = _find_default_profile(get_json(address, "/info"))
    deadline = time.monotonic() + _TOTAL_SECONDS
    for identity in identities:
        if time.monotonic() > deadline:
            raise TimeoutError(f"not all answers within {_TOTAL_SECONDS:.0f} s")
        if (answer := get_json(address, f"/containers/{identity}/json")) is None:
            continue
        image = (answer.get("Config") or {}).get("Image", "")
        name = str(answer.get("Name", "")).removeprefix("/")
        options = (answer.get("HostConfig") or {}).get("SecurityOpt") or ()
        chosen = any(str(option).startswith("seccomp") for option in options)
        container = LiveContainer(identity, name, str(image), "docker")
        yield KnownContainer(container, given="" if chosen else builtin)


def _find_default_profile(info: dict[str, Any] | None) -> str:
    """Return the profile that the daemon gives by default; a path if it was configured with one."""
    for option in (info or {}).get("SecurityOptions") or ():
        parts = dict(part.partition("=")[::2] for part in str(option).split(","))
        if parts.get("name") == "seccomp":
            profile = parts.get("profile", "")
            return DEFAULT if profile in ("builtin", "default", "") else profile
    return ""


def get_json(address: str, path: str) -> dict[str, Any] | None:
    """Return the answer to a GET request; None for 404.

    Each request has its own connection, so that a slow answer delays no other.
    """
    connection = _Connection(address)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read(_MAX_ANSWER)
        if response.status == http.client.NOT_FOUND:
            return None
        if response.status != http.client.OK:
            raise ValueError(f"status {response.status}")
        answer = json.loads(body)
        if not isinstance(answer, dict):
            raise ValueError("not an object")
        return answer
    finally:
        connection.close()


class _Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, address: str) -> None:
        super().__init__("localhost", timeout=SECONDS)
        self._address = address

    def connect(self) -> None:
        """Connect to the socket; the time-out applies to each single wait."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(SECONDS)
        self.sock.connect(self._address)
