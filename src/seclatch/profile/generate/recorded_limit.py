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
from seclatch.model.profile import Profile
from seclatch.model.recording import Recording
from seclatch.model.stage import Stage
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
    profiles = [container.profile for container in recording.containers]
    for document in profiles:
        if document:
            source = "the profile that it was recorded under"
            yield RecordedLimit(parse_profile(json.dumps(document), source), source)
    if not profiles or not all(profiles):
        yield _default(recording)


def _default(recording: Recording) -> RecordedLimit:
    names = {software.name for software in recording.software}
    engine = Engine.PODMAN if "podman" in names and "dockerd" not in names else Engine.DOCKER
    mask = _bounding_set(recording)
    caps = name_capabilities(DEFAULT_CAPABILITIES[engine] if mask is None else mask)
    arch = Arch.parse(recording.hosts[0].arch) if recording.hosts else Arch.native()
    profile = narrow_profile(load_default(engine), Host(arch, caps, NEWEST_KERNEL, engine))
    name = f"{engine.value}-default"
    return RecordedLimit(
        profile, f"{name} ({default_version(name)}) with the capabilities that it had"
    )


def _bounding_set(recording: Recording) -> int | None:
    """Join the bounding sets in which processes were once they had executed their program."""
    mask = None
    for process in recording.processes:
        begins = [image.time for image in process.images if image.stage == Stage.PROGRAM.value]
        if not begins:
            continue
        for change in process.contexts:
            sets = recording.contexts[change.context].capabilities
            if sets is not None and change.time >= min(begins):
                mask = (mask or 0) | int(sets.bounding, 16)
    return mask
