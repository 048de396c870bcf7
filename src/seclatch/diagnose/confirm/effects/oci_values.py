"""Read values of a config.json, which may hold anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def get_object(holder: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return an object of an object; an empty one for anything else."""
    value = holder.get(key)
    return value if isinstance(value, dict) else {}


def get_list(holder: Mapping[str, Any], key: str, kind: type = dict) -> list[Any]:
    """Return what is of a kind in a list of an object."""
    value = holder.get(key)
    return [each for each in value if isinstance(each, kind)] if isinstance(value, list) else []
