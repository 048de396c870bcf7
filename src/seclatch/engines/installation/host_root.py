"""The directory that counts as `/`: the host's own, its mount in a container, or a tree."""

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
    """Paths below `prefix` are resolved as they would be after a chroot(2) to it.

    `init`: a process of the running system that `prefix` is a mount of, its first one; 0 for `/`
    itself, and for a tree that does not run.
    """

    prefix: Path = Path("/")
    init: int = 0

    @property
    def is_host(self) -> bool:
        """Return whether this is the running system, seen at its own paths."""
        return self.prefix == Path("/")

    @property
    def is_live(self) -> bool:
        """Return whether this is a running system, with its engines."""
        return self.is_host or self.init != 0

    def command(self, *words: str) -> list[str]:
        """Return a command line that runs a program of the running system, among its own files."""
        if not self.init:
            return list(words)
        enter = ["nsenter", f"--target={self.init}", "--mount", "--"]
        # env(1) is the system's own then; its programs get nothing of a container's environment
        return [*enter, "/usr/bin/env", "-i", f"PATH={':'.join(SYSTEM_PATH)}", *words]

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
