"""A container as its engine describes it."""

from __future__ import annotations

from dataclasses import dataclass

from seclatch.model.process import LiveContainer


@dataclass(frozen=True, slots=True)
class KnownContainer:
    """A container with the sources of its profile.

    `seccomp` is `linux.seccomp` of its config.json (None: not read); `given`: the engine's name for
    the profile, "" if it has none. `trusted`: as that of `FoundContainer`.
    """

    container: LiveContainer
    seccomp: object = None
    given: str = ""
    trusted: bool = True
