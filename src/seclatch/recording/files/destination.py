"""Where a recording is to be written: found out before there is anything to lose."""

from __future__ import annotations

from pathlib import Path

from seclatch.errors import SeclatchError
from seclatch.output.result_file import find_obstacle


def require_writable(path: Path) -> None:
    """Raise SeclatchError where no file of this name could be written."""
    if problem := find_obstacle(path):
        raise SeclatchError(
            f"the recording cannot be written to {path}: {problem}",
            remedy="give another file with -o",
        )
