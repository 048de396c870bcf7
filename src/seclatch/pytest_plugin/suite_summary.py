"""What a suite's containers did, image by image, and whether the profiles fit."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from seclatch.model.recording.merge_recordings import merge_recordings
from seclatch.model.recording.recording import Recording
from seclatch.model.stage import Stage
from seclatch.pytest_plugin.image_profiles import ImageProfile
from seclatch.pytest_plugin.split_trace import SuiteContainer
from seclatch.recording.files.recording_file import write_recording

_MOST_TESTS = 3


@dataclass
class ImageRecording:
    """The containers of one image, and where their recording was written."""

    image: str
    containers: list[SuiteContainer]
    path: Path | None = None

    @cached_property
    def recording(self) -> Recording:
        """Return the container's recording, or that of all of them merged."""
        recordings = [container.recording for container in self.containers]
        return recordings[0] if len(recordings) == 1 else merge_recordings(recordings)


def group_by_image(containers: Iterable[SuiteContainer]) -> list[ImageRecording]:
    """Group containers by image, sorted; those of unknown images are one group."""
    groups: dict[str, list[SuiteContainer]] = {}
    for container in containers:
        groups.setdefault(container.image, []).append(container)
    return [ImageRecording(image, groups[image]) for image in sorted(groups)]


def write_recordings(images: Iterable[ImageRecording], folder: Path) -> None:
    """Write a file for each image into a folder. Raises SeclatchError."""
    taken: set[str] = set()
    for image in images:
        name = name_file(image.image)
        if name in taken:
            name += f"-{hashlib.sha256(image.image.encode(errors='surrogatepass')).hexdigest()[:8]}"
        taken.add(name)
        image.path = folder / f"{name}.recording.json.gz"
        write_recording(image.path, image.recording)


def name_file(image: str) -> str:
    """Return a file name for an image, whose name comes from an engine: safe characters only."""
    return "-".join(re.findall(r"[A-Za-z0-9_.-]+", image)).lstrip(".-")[:64] or "unknown-image"


def summarize(
    images: Sequence[ImageRecording], profiles: Iterable[ImageProfile]
) -> tuple[list[str], bool]:
    """Return the lines to print, and whether every profile was checked and fits."""
    lines = [line for image in images for line in (_describe(image), *describe_loss(image))]
    if not images:
        lines = ["no container was seen to start: nothing was recorded"]
    problems = [line for profile in profiles for line in check_profile(profile, images)]
    return lines + problems, not problems


def _describe(image: ImageRecording) -> str:
    calls = {call.name for call in image.recording.calls if call.stage == Stage.PROGRAM.value}
    count = len(image.containers)
    starts = "1 container" if count == 1 else f"{count} containers"
    where = f", in {image.path}" if image.path else ""
    name = image.image or "an unknown image (removed before its engine was asked)"
    return f"recorded {starts} of {name}: {len(calls)} system calls{where}"


def describe_loss(image: ImageRecording) -> Iterator[str]:
    """Yield a line if not everything that the containers did is in the recording."""
    lost = [container.recording.lost for container in image.containers]
    if any(each.events or each.processes or each.calls for each in lost):
        yield f"  not everything: of {image.image or 'an unknown image'} more was done than counted"


def check_profile(profile: ImageProfile, images: Sequence[ImageRecording]) -> Iterator[str]:
    """Yield a line for each call that the profile denies, or one if nothing could be checked."""
    meant = [image for image in images if profile.is_for(image.image)]
    if not meant:
        seen = ", ".join(image.image or "an unknown one" for image in images) or "none"
        of = f" of {profile.image}" if profile.image else ""
        yield f"{profile.name} was not checked: no container{of} was recorded; images: {seen}"
    for image in meant:
        yield from _check_image(profile, image)


def _check_image(profile: ImageProfile, image: ImageRecording) -> Iterator[str]:
    """Yield each denied call once, with the tests that started the containers."""
    tests: dict[str, list[str]] = {}
    for container in image.containers:
        for gap in profile.find_gaps(container.recording, container.name):
            tests.setdefault(gap.call, []).extend(container.tests)
    if tests:
        yield f"{profile.name} does not fit {image.image or 'an unknown image'}: it denies"
    for call, several in sorted(tests.items()):
        yield f"  {call}{_name_tests(several)}"
    if any(describe_loss(image)):
        yield f"{profile.name} was not checked against all that {image.image or 'it'} did"


def _name_tests(tests: Iterable[str]) -> str:
    names = list(dict.fromkeys(tests))
    more = f" and {len(names) - _MOST_TESTS} more" if names[_MOST_TESTS:] else ""
    return f", of a container started in {', '.join(names[:_MOST_TESTS])}{more}" if names else ""
