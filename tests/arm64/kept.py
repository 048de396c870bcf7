"""Folders that are made once and used again as long as what they are made of is the same."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path


def keep(folder: Path, name: str, key: str, make: Callable[[Path], None]) -> Path:
    """The folder for `key`, filled by `make` if it is not there; those for other keys go."""
    place = folder / f"{name}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
    if not place.exists():
        part = folder / f"{name}.part"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        make(part)
        for old in folder.glob(f"{name}-*"):
            shutil.rmtree(old)
        part.rename(place)
    return place
