"""Where a recording is to be written: found out before there is anything to lose."""

from __future__ import annotations

import os
from pathlib import Path

from seclatch.errors import SeclatchError


def require_writable(path: Path) -> None:
    """Raise SeclatchError where no file of this name could be written."""
    if problem := _why_not(path):
        raise SeclatchError(
            f"the recording cannot be written to {path}: {problem}",
            remedy="give another file with -o",
        )


def _why_not(path: Path) -> str:
    try:
        if not path.parent.is_dir():
            return "there is no such directory"
        if path.is_dir():
            return "it is a directory"
    except PermissionError:  # a folder above it may not be looked into
        return "no permission to look there"
    writable = os.access(path.parent, os.W_OK | os.X_OK)
    return "" if writable else "no permission to write there"
