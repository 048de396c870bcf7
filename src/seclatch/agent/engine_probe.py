"""Start a container by the registered latch, under a profile that no runtime could start under."""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from seclatch.agent.probe_image import make_probe_archive
from seclatch.agent.probe_program import LATCHED, make_probe_profile
from seclatch.engines.installation.host_root import HostRoot
from seclatch.errors import SeclatchError
from seclatch.output.result_file import replace_file

FOLDER = "/run/seclatch"
PROFILE = f"{FOLDER}/probe.json"


@dataclass(frozen=True)
class EngineProbe(ABC):
    """How one engine starts the probe."""

    root: HostRoot

    def require_latched_start(self) -> None:
        """Start a probe container. Raises SeclatchError unless its own filter was on it."""
        place_profile(self.root)
        status = self.run(make_probe_archive(os.uname().machine))
        if status != LATCHED:
            raise SeclatchError(
                f"the probe container ended with status {status}, and with {LATCHED} under its "
                "profile and no other filter",
                remedy="seclatch doctor, on the host",
            )

    @abstractmethod
    def run(self, archive: bytes) -> int:
        """Import the image if it is not there, run the container, return its exit status."""

    @abstractmethod
    def identify_daemon(self) -> str:
        """Return what differs after a restart; raises SeclatchError without a running daemon."""

    @abstractmethod
    def remove_image(self) -> None:
        """Remove the probe's image."""


def place_profile(root: HostRoot) -> Path:
    """Write the probe's profile to where the engine reads it."""
    path = make_folder(root) / Path(PROFILE).name
    replace_file(path, json.dumps(make_probe_profile()).encode())
    path.chmod(0o644)
    return path


def make_folder(root: HostRoot) -> Path:
    """Make the directory of this program's own files; gone after a reboot."""
    folder = root.resolve(FOLDER)
    try:
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    except OSError as error:
        raise SeclatchError(f"making {folder}: {error.strerror}") from error
    return folder
