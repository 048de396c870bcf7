"""`--volume SRC:DST[:ro|rw]`: a bind mount of one directory or file of the host."""

from __future__ import annotations

import os
from typing import NamedTuple

from seclatch.errors import InputError

_OPTION = "--volume"


class BindVolume(NamedTuple):
    """A bind mount: absolute path on the host, absolute path in the container."""

    source: str
    destination: str
    read_only: bool


def parse_volume(text: str) -> BindVolume:
    """Parse `SRC:DST[:ro|rw]`; SRC may be relative to the working directory. Raises InputError."""
    source, colon, rest = text.partition(":")
    destination, _, mode = rest.partition(":")
    if not source or not colon:
        raise InputError(_OPTION, text, "not of the form SRC:DST[:ro]")
    if not destination.startswith("/") or os.path.normpath(destination) == "/":
        raise InputError(_OPTION, text, "DST must be an absolute path below / in the container")
    if mode not in ("", "ro", "rw"):
        raise InputError(_OPTION, text, f"unknown mode {mode!r}: give ro or rw")
    if not os.path.lexists(source):
        raise InputError(
            _OPTION, text, f"{source} does not exist", remedy="named volumes need an engine"
        )
    return BindVolume(os.path.abspath(source), os.path.normpath(destination), mode == "ro")  # noqa: PTH100
