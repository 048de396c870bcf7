"""The directory that counts as `/`: the host's own, or a tree given by `--root`."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from seclatch.errors import SeclatchError

# As many as the kernel follows (MAXSYMLINKS, path_resolution(7)).
MAX_LINKS = 40

# A daemon's search path: a user's PATH lacks the sbin directories.
SYSTEM_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")


@dataclass(frozen=True)
class HostRoot:
    """Paths below `prefix` are resolved as they would be after a chroot(2) to it."""

    prefix: Path = Path("/")

    @property
    def is_host(self) -> bool:
        """Return whether this is the running system, with its engines."""
        return self.prefix == Path("/")

    def resolve(self, path: str) -> Path:
        """Follow every symbolic link of an absolute path without leaving the prefix.

        The last parts may be missing (a file to be made, a dangling link's target).
        """
        here, links = self.prefix, 0
        pending = list(reversed(PurePosixPath(path).parts))
        while pending:
            part = pending.pop()
            if part == "/":
                here = self.prefix
            elif part == "..":
                here = here if here == self.prefix else here.parent
            elif (here / part).is_symlink():
                links += 1
                if links > MAX_LINKS:
                    raise SeclatchError(f"following {path}: too many symbolic links")
                pending.extend(reversed((here / part).readlink().parts))
            else:
                here = here / part
        return here

    def find_program(self, name: str) -> str | None:
        """Find a program's absolute path inside the root; on the host PATH comes first."""
        if self.is_host and (found := shutil.which(name)):
            return str(Path(found).absolute())
        for directory in SYSTEM_PATH:
            candidate = f"{directory}/{name}"
            resolved = self.resolve(candidate)
            if resolved.is_file() and os.access(resolved, os.X_OK):
                return candidate
        return None
