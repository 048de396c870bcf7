"""Credentials for a registry, from the files that docker, podman and skopeo log in to."""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seclatch.errors import InputError, SeclatchError
from seclatch.registry.reference import Reference

_MAX_FILE = 1 << 20
_HELPER = re.compile(r"[A-Za-z0-9_-]{1,64}")
_HELPER_SECONDS = 30
_DOCKER_HUB = "https://index.docker.io/v1/"


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user name and a password; its text form shows neither."""

    user: str
    password: str

    def __repr__(self) -> str:
        """Keep the password out of messages and tracebacks."""
        return "Credentials(…)"

    @property
    def basic(self) -> str:
        """Return the value of an Authorization header (RFC 7617)."""
        pair = f"{self.user}:{self.password}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"


def find_credentials(reference: Reference, auth_file: Path | None = None) -> Credentials | None:
    """Find what a user logged in with; the most specific entry of the first file that has one.

    Raises InputError for a file that cannot be read as one, SeclatchError for a failing helper.
    """
    if auth_file is not None and not auth_file.exists():
        raise InputError(str(auth_file), "", "there is no such file")
    for path in [auth_file] if auth_file else list_auth_files():
        found = _look_up(path, reference)
        if found is not None:
            return found
    return None


def list_auth_files() -> list[Path]:
    """List the files in the order of containers-auth.json(5), then docker's."""
    named = os.environ.get("REGISTRY_AUTH_FILE", "")
    if named:
        return [Path(named)]
    home = Path(os.environ.get("HOME") or "/root")
    run = os.environ.get("XDG_RUNTIME_DIR") or f"/run/containers/{os.getuid()}"
    docker = os.environ.get("DOCKER_CONFIG")
    return [
        Path(run) / "containers" / "auth.json",
        home / ".config" / "containers" / "auth.json",
        (Path(docker) if docker else home / ".docker") / "config.json",
    ]


def _look_up(path: Path, reference: Reference) -> Credentials | None:
    document = _read(path)
    helpers, auths = document.get("credHelpers") or {}, document.get("auths") or {}
    if not isinstance(helpers, dict) or not isinstance(auths, dict):
        raise InputError(str(path), "", "auths and credHelpers must be objects")
    if helper := helpers.get(reference.host):
        return _ask_helper(path, helper, reference.host)
    for key in _list_keys(reference):
        entry = auths.get(key)
        if isinstance(entry, dict) and entry.get("auth"):
            return _decode(path, key, entry)
    if helper := document.get("credsStore"):
        return _ask_helper(path, helper, reference.host)
    return None


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_FILE + 1)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return {}
    except OSError as error:
        raise InputError(str(path), "", f"cannot read it: {error.strerror}") from error
    try:
        document = json.loads(data) if len(data) <= _MAX_FILE else None
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise InputError(str(path), "", "not a file of credentials (containers-auth.json(5))")
    return document


def _list_keys(reference: Reference) -> Iterator[str]:
    """Yield the keys of entries, the most specific first."""
    path = reference.repository.split("/")
    for length in range(len(path), 0, -1):
        yield "/".join([reference.host, *path[:length]])
    yield reference.host
    yield f"https://{reference.host}"
    if reference.host == "docker.io":
        yield _DOCKER_HUB


def _decode(path: Path, key: str, entry: dict[str, Any]) -> Credentials:
    try:
        user, _, password = base64.b64decode(entry["auth"], validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError, TypeError, ValueError) as error:
        raise InputError(
            str(path), f"auths {key}", "auth is not base64 of USER:PASSWORD"
        ) from error
    if entry.get("identitytoken") or not password.strip("\0"):
        raise InputError(
            str(path),
            f"auths {key}",
            "an identity token, which seclatch does not use",
            remedy="log in with a password or access token: skopeo login, podman login",
        )
    return Credentials(user, password.rstrip("\0"))


def _ask_helper(path: Path, helper: Any, host: str) -> Credentials | None:
    """Run docker-credential-HELPER, as docker and podman do."""
    if not isinstance(helper, str) or not _HELPER.fullmatch(helper):
        raise InputError(str(path), "", "the name of a credential helper is not a plain word")
    program = f"docker-credential-{helper}"
    server = _DOCKER_HUB if host == "docker.io" else host
    try:
        done = subprocess.run(
            [program, "get"],
            input=server.encode(),
            capture_output=True,
            timeout=_HELPER_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SeclatchError(
            f"asking {program} for credentials, as {path} says: {error}",
            remedy="install it, or log in with skopeo login --authfile FILE and give --auth-file",
        ) from error
    if done.returncode != 0:
        return None  # it has none: the registry may answer without
    try:
        answer = json.loads(done.stdout)
        return Credentials(str(answer["Username"]), str(answer["Secret"]))
    except (ValueError, KeyError, TypeError) as error:
        raise SeclatchError(f"asking {program} for credentials: not its protocol") from error
