"""Find this installation's latch: the program that an engine calls in place of a runtime."""

from __future__ import annotations

import os
import shutil
import sysconfig
from pathlib import Path

from seclatch.errors import SeclatchError

RUNTIMES = ("runc", "crun")

ELF_MAGIC = b"\x7fELF"


def find_latch(runtime: str) -> Path:
    """Find `seclatch-<runtime>`: in this interpreter's scripts directory, then on PATH.

    The scripts directory comes first so that the latch has the version of the Python that calls it.
    """
    name = f"seclatch-{runtime}"
    beside = Path(sysconfig.get_path("scripts")) / name
    found = beside if is_program(beside) else None
    if found is None and (on_path := shutil.which(name)):
        found = Path(on_path)
    if found is None:
        raise SeclatchError(
            f"finding the latch: {name} is neither in {beside.parent} nor on PATH",
            remedy="install seclatch again, with pipx or pip (or `make setup` in its sources): "
            "that builds the latch, or brings a wheel's",
        )
    return found.absolute()


def read_latch(path: Path) -> bytes:
    """Read the latch's bytes to copy it; anything that is not an ELF program is refused."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SeclatchError(f"reading the latch {path}: {error.strerror}") from error
    if not content.startswith(ELF_MAGIC):
        raise SeclatchError(
            f"reading the latch {path}: not an ELF program",
            remedy="install seclatch again; an engine runs this file as root",
        )
    return content


def is_program(path: Path) -> bool:
    """Return whether the path is a regular file that may be executed."""
    return path.is_file() and os.access(path, os.X_OK)
