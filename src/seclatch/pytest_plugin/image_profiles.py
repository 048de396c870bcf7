"""Profiles to check the containers of a suite against, and the images that they are for."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from seclatch.model.arch import Arch
from seclatch.model.recording.recording import Recording
from seclatch.profile.compile.resolve_profile import DEFAULT_CAPS, Engine, Host
from seclatch.profile.generate.find_gaps import ProfileGap, find_recorded_gaps
from seclatch.profile.meaning.rule_meaning import ProfileMeaning, read_meaning
from seclatch.profile.parse.profile_source import read_source
from seclatch.profile.profile_input import read_profile_input, require_action


@dataclass(frozen=True, slots=True)
class ImageProfile:
    """A profile, and the pattern of the images that it is for (""; all)."""

    image: str
    name: str
    meaning: ProfileMeaning

    def is_for(self, image: str) -> bool:
        """Return whether a container's image is meant: with or without registry, path and tag."""
        return not self.image or any(fnmatchcase(name, self.image) for name in list_names(image))

    def find_gaps(self, recording: Recording, source: str) -> list[ProfileGap]:
        """Return the recorded calls that the profile denies and that count."""
        gaps = find_recorded_gaps(self.meaning, recording, source)
        return [gap for gap in gaps if gap.counts]


def parse_image_profile(text: str) -> ImageProfile:
    """Read `[IMAGE=]FILE`. Raises InputError."""
    image, _, file = text.rpartition("=")
    kernel = re.match(r"(\d+)\.(\d+)", os.uname().release)
    numbers = (int(kernel[1]), int(kernel[2])) if kernel else (0, 0)
    host = Host(Arch.native(), DEFAULT_CAPS[Engine.DOCKER], numbers)
    given = require_action(read_profile_input(read_source(Path(file)), host))
    return ImageProfile(image, given.name, read_meaning(given.profile, host.arch))


def list_names(image: str) -> Iterator[str]:
    """Yield the names of an image: `docker.io/library/nginx:1.27` is `nginx` and `nginx:1.27` too.

    An unknown image has none.
    """
    parts = image.split("/") if image else []
    for start in range(len(parts)):
        name = "/".join(parts[start:])
        yield name
        yield re.sub(r"(@.*|:[^:/]*)$", "", name)
