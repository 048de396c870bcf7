"""The default profiles of Docker and Podman, read."""

from __future__ import annotations

from functools import cache

from seclatch.model.profile.profile import Profile
from seclatch.profile.compile.resolve_profile import Engine
from seclatch.profile.parse.default_documents import read_default
from seclatch.profile.parse.load_profile import parse_profile


@cache
def load_default(engine: Engine) -> Profile:
    """Read an engine's default profile, with its conditions."""
    name = f"{engine.value}-default"
    return parse_profile(read_default(name).decode(), name)
