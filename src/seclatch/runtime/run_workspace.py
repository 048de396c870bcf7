"""The private directory of one run: bundle, log and the overlay's directories."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from seclatch.errors import SeclatchError


class RunWorkspace(NamedTuple):
    """Paths in a directory that only this user can enter: the bundle is the directory itself."""

    bundle: Path

    @property
    def config(self) -> Path:
        """Return where the runtime reads the OCI configuration."""
        return self.bundle / "config.json"

    @property
    def root(self) -> Path:
        """Return where the container's root is mounted."""
        return self.bundle / "rootfs"

    @property
    def scratch(self) -> Path:
        """Return the directory of the overlay's upper layer."""
        return self.bundle / "layer"

    @property
    def log(self) -> Path:
        """Return the runtime's log file."""
        return self.bundle / "log"


@contextlib.contextmanager
def make_workspace(identifier: str) -> Iterator[RunWorkspace]:
    """Make the directory (mode 0700, under an unguessable name) and remove it at the end."""
    bundle = _parent() / f"seclatch-{identifier}-{os.urandom(8).hex()}"
    workspace = RunWorkspace(bundle)
    try:
        # mkdir(2) does not follow a link that waits there, and fails if anything does.
        bundle.mkdir(mode=0o700)
        workspace.root.mkdir()
        workspace.scratch.mkdir()
    except OSError as error:
        shutil.rmtree(bundle, ignore_errors=True)
        raise SeclatchError(
            f"cannot make the bundle directory {bundle}: {error.strerror}",
            remedy="make room there, or give another directory in TMPDIR",
        ) from error
    try:
        yield workspace
    finally:
        shutil.rmtree(bundle, ignore_errors=True)


def _parent() -> Path:
    """Prefer /run (in memory, only root's) to a temporary directory."""
    run = Path("/run")
    if os.access(run, os.W_OK):
        return run
    return Path(os.environ.get("TMPDIR") or "/tmp")  # noqa: S108 (the name is unguessable)
