"""The BPF objects, as clang compiled them and as the package has them."""

from __future__ import annotations

from pathlib import Path

from seclatch.bpf.compiled_object import CompiledObject, import_object
from tools.bpf.object_file import ObjectFile

FOLDER = Path(__file__).parents[3] / "native" / "bpf" / "objects"
NAMES = sorted(path.name.removesuffix(".o") for path in FOLDER.glob("*.o"))


def read_object(name: str) -> ObjectFile:
    """Return a checked-in object, parsed."""
    return ObjectFile((FOLDER / f"{name}.o").read_bytes())


def import_compiled(name: str) -> CompiledObject:
    """Return the package's module of an object."""
    return import_object(name.replace(".", "_"))
