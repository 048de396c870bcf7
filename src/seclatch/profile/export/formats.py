"""The formats by name."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import cast

from seclatch.model.profile.profile import Profile
from seclatch.profile.export.written_profile import WrittenProfile

# format -> its writer ("module:function", imported when asked for) and whether it has conditions
_WRITERS = {
    "docker": ("docker:write", True),
    "containers-common": ("docker:write_containers_common", True),
    "oci": ("oci:write", False),
    "kubernetes": ("kubernetes:write", False),
    "systemd": ("systemd:write", False),
}

FORMATS = tuple(_WRITERS)


def has_conditions(name: str) -> bool:
    """Can the format say under which conditions a rule is in force? Else resolve first."""
    return _WRITERS[name][1]


def write(profile: Profile, name: str) -> WrittenProfile:
    """Write the profile in the format `name`."""
    module, function = _WRITERS[name][0].split(":")
    loaded = import_module(f"seclatch.profile.export.{module}")
    writer = cast("Callable[[Profile], WrittenProfile]", getattr(loaded, function))
    return writer(profile)
