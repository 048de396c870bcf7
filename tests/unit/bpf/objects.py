"""The package's BPF objects, for tests that need no kernel."""

from __future__ import annotations

from pathlib import Path

import seclatch.bpf
from seclatch.bpf.object_loader import BpfObject

FOLDER = Path(seclatch.bpf.__file__).with_name("objects")
NAMES = sorted(path.name.removesuffix(".o") for path in FOLDER.glob("*.o"))


def read_bytes(name: str) -> bytes:
    """Return a checked-in object's bytes."""
    return (FOLDER / f"{name}.o").read_bytes()


def read_object(name: str) -> BpfObject:
    """Return a checked-in object, parsed."""
    return BpfObject(read_bytes(name))
