"""The objects of the package, for tests that need no kernel."""

from __future__ import annotations

from pathlib import Path

import seclatch.bpf
from seclatch.bpf.object_loader import BpfObject

FOLDER = Path(seclatch.bpf.__file__).with_name("objects")
NAMES = sorted(path.name.removesuffix(".o") for path in FOLDER.glob("*.o"))


def read_bytes(name: str) -> bytes:
    """An object as it is checked in."""
    return (FOLDER / f"{name}.o").read_bytes()


def read_object(name: str) -> BpfObject:
    """The same, read."""
    return BpfObject(read_bytes(name))
