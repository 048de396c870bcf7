"""The probe by Podman, which has no daemon: its command is run on the host."""

from __future__ import annotations

from dataclasses import dataclass

from seclatch.agent.engine_probe import PROFILE, EngineProbe
from seclatch.agent.probe_image import IMAGE
from seclatch.agent.run_on_host import run_on_host
from seclatch.engines.installation.engine import NAME

_ANY = tuple(range(125))  # 125 and above are Podman's own errors (podman-run(1))


@dataclass(frozen=True)
class PodmanProbe(EngineProbe):
    """A container of the runtime `seclatch`, without a network."""

    def run(self, archive: bytes) -> int:
        """Load the image and run the container."""
        run_on_host(self.root, "podman", "load", "--quiet", data=archive)
        words = ("--runtime", NAME, "run", "--rm", "--network=none", "--log-driver=none")
        profile = f"--security-opt=seccomp={PROFILE}"
        return run_on_host(self.root, "podman", *words, profile, IMAGE, statuses=_ANY)

    def identify_daemon(self) -> str:
        """Return nothing: every podman process reads the configuration."""
        return ""

    def remove_image(self) -> None:
        """Remove the image."""
        run_on_host(self.root, "podman", "rmi", "--ignore", IMAGE)
