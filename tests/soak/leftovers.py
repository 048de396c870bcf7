"""Find what starts could leave behind: processes, descriptors, mounts, files, cgroups."""

from __future__ import annotations

import dataclasses
import os
import time
from dataclasses import dataclass
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")


@dataclass
class Leftovers:
    """All that exists at one time in this process's namespaces."""

    processes: set[str]
    descriptors: set[str]  # of this process: those of tracers and runtimes end with them
    mounts: set[str]
    files: set[str]
    cgroups: set[str]

    @classmethod
    def find(cls, folder: Path) -> Leftovers:
        """Take a snapshot."""
        processes = {
            f"{path.name} {name}"
            for path in Path("/proc").glob("[0-9]*")
            if (name := read(path / "comm")) and int(path.name) != os.getpid()
        }
        roots = (folder, Path("/run"), Path("/tmp"))
        return cls(
            processes=processes,
            descriptors={path.name for path in Path("/proc/self/fd").iterdir()},
            mounts=set(Path("/proc/self/mountinfo").read_text().splitlines()),
            files={str(path) for root in roots for path in root.rglob("*")},
            cgroups={str(path) for path in CGROUPS.rglob("soak-*")},
        )

    @classmethod
    def find_settled(cls, folder: Path, before: Leftovers, seconds: float = 20) -> Leftovers:
        """Take snapshots until nothing new is left, or the time is over."""
        end = time.monotonic() + seconds
        while (found := cls.find(folder)).differs(before) and time.monotonic() < end:
            time.sleep(0.2)
        return found

    def differs(self, before: Leftovers) -> bool:
        """Return whether there is anything more than before."""
        return any(self._more(before).values())

    def _more(self, before: Leftovers) -> dict[str, set[str]]:
        names = [field.name for field in dataclasses.fields(self)]
        return {name: getattr(self, name) - getattr(before, name) for name in names}

    def report(self, before: Leftovers) -> list[str]:
        """Return a line for each kind of leftover."""
        return [
            f"{name} left: {len(more)} {sorted(more)[:3] if more else ''}".rstrip()
            for name, more in self._more(before).items()
        ]


def read(path: Path) -> str:
    """Return the text of a process's file in /proc; "" if the process has exited."""
    try:
        return path.read_text().strip()
    except OSError:
        return ""
