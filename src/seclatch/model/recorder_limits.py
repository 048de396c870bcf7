"""Limits of the recorder of annotated containers: set at install, read when it starts."""

from __future__ import annotations

import msgspec

DIRECTORY = "/var/lib/seclatch/recordings"


class RecorderLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where recordings go, and how many there may be.

    Files, `size` bytes of all together, and containers that are recorded at the same time.
    """

    directory: str = DIRECTORY
    recordings: int = 1000
    size: int = 1 << 30
    at_once: int = 256

    def encode(self) -> bytes:
        """Return the file's bytes; the same limits give the same bytes."""
        return msgspec.json.format(msgspec.json.encode(self)) + b"\n"


def decode_limits(content: bytes) -> RecorderLimits:
    """Decode the file's bytes. Raises ValueError."""
    try:
        return msgspec.json.decode(content, type=RecorderLimits)
    except msgspec.DecodeError as error:  # ValidationError is one
        raise ValueError(f"not limits of a recorder: {error}") from error
