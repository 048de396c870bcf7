"""The default profiles of Docker and Podman by name, as documents.

tools/default_profiles.py asks the real engines for them.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

import msgspec

NAMES = ("docker-default", "podman-default")


class _Default(msgspec.Struct, frozen=True):
    version: str
    engine: str
    profile: dict[str, Any]


def read_default(name: str) -> bytes:
    """Return the profile's document, with its conditions on capabilities and architectures."""
    return msgspec.json.encode(_load(name).profile)


def default_version(name: str) -> str:
    """Name the version of the engine that the profile is of."""
    return _load(name).version


@cache
def _load(name: str) -> _Default:
    path = resources.files("seclatch.data").joinpath("defaults", f"{name}.json")
    return msgspec.json.decode(path.read_bytes(), type=_Default)
