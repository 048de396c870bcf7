"""Find where hierarchies of control groups are mounted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from seclatch.system.procfs import read_file

_MOUNTS = 1 << 22
_ESCAPE = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class GroupMount:
    """One mount. `kind`: cgroup or cgroup2; `root`: the group that is seen at its mount point."""

    kind: str
    options: str
    root: str
    folder: Path

    @property
    def hierarchy(self) -> str:
        """Return what names its hierarchy: there is one of version 2."""
        return self.kind if self.kind == "cgroup2" else self.options


def list_group_mounts(path: str = "/proc/self/mountinfo") -> Iterator[GroupMount]:
    """Yield the mounts of control groups (proc_pid_mountinfo(5)), the first one first."""
    for line in read_file(path, _MOUNTS).decode("utf-8", "surrogateescape").splitlines():
        before, _, after = line.partition(" - ")
        words, kinds = before.split(" "), after.split(" ")
        if kinds[0] in ("cgroup", "cgroup2") and len(words) > 4:
            root, folder = map(_decode, words[3:5])
            yield GroupMount(kinds[0], kinds[-1], root, Path(folder))


def _decode(word: str) -> str:
    """Decode the blanks, tabs, line feeds and backslashes of a path (mangle_path(9))."""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 8)), word)
