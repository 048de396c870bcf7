"""Check that a recording can be written, before there is a recording to lose."""

from __future__ import annotations

from pathlib import Path

from seclatch.errors import SeclatchError
from seclatch.output.result_file import find_obstacle


def require_writable(path: Path) -> None:
    """Raise SeclatchError if a file of this name cannot be written."""
    if problem := find_obstacle(path):
        raise SeclatchError(
            f"the recording cannot be written to {path}: {problem}",
            remedy="give another file with -o",
        )
