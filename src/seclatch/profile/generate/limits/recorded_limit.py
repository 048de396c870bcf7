"""The profile that a generated one must not be wider than: what the recorded container had.

A container without a profile, or a program outside of containers, is held to the engine's default
for the capabilities that it had.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from seclatch.model.arch import Arch
from seclatch.model.capability import name_capabilities
from seclatch.model.profile.profile import Profile
from seclatch.model.recording.container_bounds import list_bounds
from seclatch.model.recording.recorded_bounds import RecordedBound
from seclatch.model.recording.recording import Recording
from seclatch.profile.compile.resolve_profile import Engine, Host, narrow_profile
from seclatch.profile.curated.default_profiles import load_default
from seclatch.profile.parse.default_documents import default_version
from seclatch.profile.parse.load_profile import parse_profile

# What the engines give a container by default, bit by bit as in CapBnd.
DEFAULT_CAPABILITIES = {Engine.DOCKER: 0xA80425FB, Engine.PODMAN: 0x800405FB}
NEWEST_KERNEL = (255, 255)


@dataclass(frozen=True, slots=True)
class RecordedLimit:
    """A resolved profile, and where it comes from, for messages."""

    profile: Profile
    source: str


def find_limits(recordings: Iterable[Recording]) -> list[RecordedLimit]:
    """Return the distinct limits of recordings."""
    found: dict[Profile, RecordedLimit] = {}
    for recording in recordings:
        for limit in _limits(recording):
            found.setdefault(limit.profile, limit)
    return list(found.values())


def _limits(recording: Recording) -> Iterator[RecordedLimit]:
    for bound in list_bounds(recording):
        if bound.profile:
            source = "the profile that it was recorded under"
            yield RecordedLimit(parse_profile(json.dumps(bound.profile), source), source)
        else:
            yield _default(recording, bound)


def _default(recording: Recording, bound: RecordedBound) -> RecordedLimit:
    engine = Engine.PODMAN if bound.engine == Engine.PODMAN.value else Engine.DOCKER
    mask = int(bound.bounding, 16) if bound.bounding else DEFAULT_CAPABILITIES[engine]
    caps = name_capabilities(mask)
    arch = Arch.parse(recording.hosts[0].arch) if recording.hosts else Arch.native()
    profile = narrow_profile(load_default(engine), Host(arch, caps, NEWEST_KERNEL, engine))
    name = f"{engine.value}-default"
    return RecordedLimit(
        profile, f"{name} ({default_version(name)}) with the capabilities that it had"
    )
