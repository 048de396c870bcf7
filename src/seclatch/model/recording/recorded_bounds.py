"""What recorded containers were held to: the profile that bound them, or the engine's default."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

BoundingMask = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{0,16}$")]
"""Up to 16 hexadecimal digits."""


class RecordedBound(msgspec.Struct, frozen=True, kw_only=True):
    """What one recorded container, or a program outside of containers, was held to.

    `profile` is `linux.seccomp` of its bundle. Null stands for the default profile of `engine`,
    with the capabilities `bounding` (hexadecimal digits, "" where not known).
    """

    profile: dict[str, Any] | None = None
    engine: str = ""
    bounding: BoundingMask = ""
