"""What is known of a container by its engine."""

from __future__ import annotations

from dataclasses import dataclass

from seclatch.model.process import LiveContainer


@dataclass(frozen=True, slots=True)
class KnownContainer:
    """A container with what tells about its profile: `seccomp` is `linux.seccomp` of its
    config.json (None: not read), `given` the engine's word for which profile that is ("" if it
    says none)."""

    container: LiveContainer
    seccomp: object = None
    given: str = ""
