"""What recorded containers were held to: the profile that bound them, or the engine's default."""

from __future__ import annotations

import msgspec

from seclatch.model.recording.recorded_bounds import RecordedBound
from seclatch.model.recording.recording import Recording
from seclatch.model.recording.recording_sums import RecordingSums
from seclatch.model.stage import Stage


def list_bounds(recording: Recording | RecordingSums) -> list[RecordedBound]:
    """Return the distinct bounds; those of a merged recording are of all that it sums up."""
    if recording.bounds:
        return drop_equal(recording.bounds)
    profiles = [container.profile for container in recording.containers]
    found = [RecordedBound(profile=profile) for profile in profiles if profile]
    if not profiles or not all(profiles):
        mask = _join_bounding_sets(recording)
        bounding = "" if mask is None else f"{mask:016x}"
        found.append(RecordedBound(engine=_name_engine(recording), bounding=bounding))
    return drop_equal(found)


def drop_equal(bounds: list[RecordedBound]) -> list[RecordedBound]:
    """Keep the first of equal ones, in an order of its own: merging in any order gives the same."""
    keyed = {msgspec.json.encode(bound, order="sorted"): bound for bound in bounds}
    return [keyed[key] for key in sorted(keyed)]


def _name_engine(recording: Recording | RecordingSums) -> str:
    names = {software.name for software in recording.software}
    return "podman" if "podman" in names and "dockerd" not in names else "docker"


def _join_bounding_sets(recording: Recording | RecordingSums) -> int | None:
    """Join the bounding sets in which processes were once they had executed their program."""
    mask = None
    for process in recording.processes:
        begins = [image.time for image in process.images if image.stage == Stage.PROGRAM.value]
        if not begins:
            continue
        for change in process.contexts:
            if not 0 <= change.context < len(recording.contexts) or change.time < min(begins):
                continue
            sets = recording.contexts[change.context].capabilities
            if sets is not None:
                mask = (mask or 0) | int(sets.bounding, 16)
    return mask
