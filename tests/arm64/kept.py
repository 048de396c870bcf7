"""Cache directories by a key of their inputs."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path


def keep(folder: Path, name: str, key: str, make: Callable[[Path], None]) -> Path:
    """Return the directory for `key`, filled by `make` if it is new; remove those of other keys."""
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
