"""Metadata of a recording: what was recorded, and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from seclatch.model.pod import PodContainer
from seclatch.model.recording.origin import ContainerImage


@dataclass(frozen=True, slots=True)
class RunMetadata:
    """The command, and when it ran (wall clock, and ns of CLOCK_MONOTONIC)."""

    command: tuple[str, ...]
    started: datetime
    began: int
    ended: int
    complete: bool
    images: Mapping[int, ContainerImage] = field(default_factory=dict)
    """By the segment of the runtime that started or entered the container."""
    container: str = ""
    """The id of a container that was found running."""
    image: ContainerImage | None = None
    """The image of the recorded container, if there is only one."""
    pod: PodContainer | None = None
    """Its names in Kubernetes, if it has any."""
    profiles: Mapping[int, dict[str, Any]] = field(default_factory=dict)
    """By the runtime's process."""
    pods: Mapping[int, PodContainer] = field(default_factory=dict)
    """Names in Kubernetes, by the runtime's process."""
