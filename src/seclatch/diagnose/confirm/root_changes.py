"""Find what the first run has changed in a root directory that it could write to.

Further runs are to begin as the first one did. What it has made can be hidden from them; what it
has changed or removed cannot be brought back. Their failing the same way is no proof then: it may
be for what they found (a database that the first run made and could not write).
"""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from seclatch.diagnose.evidence.run_evidence import RunEvidence
from seclatch.model.stage import Stage
from seclatch.recording.trace.syscall_names import name_call
from seclatch.system.birth_time import read_birth_time

_REMOVING = frozenset("unlink unlinkat rename renameat renameat2 rmdir".split())  # noqa: SIM905
_MOST_FILES, _MOST_SECONDS = 500_000, 30.0
_ESCAPED = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class RootChanges:
    """Paths below the root: all that was made, without what is in made directories.

    `lost`: one that was changed in another way or removed, so that it cannot be brought back; "" if
    there is none. `unseen`: the directory where the search ended before it was complete.
    """

    made: tuple[str, ...] = ()
    lost: str = ""
    unseen: str = ""


def find_root_changes(root: Path, since: int, evidence: RunEvidence) -> RootChanges:
    """Find what was changed below a directory since a time (ns of CLOCK_REALTIME)."""
    walk = _RootWalk(os.path.realpath(root), since, removes=removes_files(evidence))
    lost = [*walk.list_lost()]
    return RootChanges(tuple(walk.made), "".join(lost[:1]), walk.unseen)


def removes_files(evidence: RunEvidence) -> bool:
    """Return whether the program removed or renamed a file, in its root directory or elsewhere."""
    made = sum(
        count
        for segment in evidence.trace.segments.values()
        if evidence.stage(segment.id) is Stage.PROGRAM
        for (compat, number), count in segment.calls.items()
        if str(name_call(evidence.native, compat, number)) in _REMOVING
    )
    failed = sum(evidence.find_syscall(seen).name in _REMOVING for seen in evidence.failures)
    return made > failed


class _RootWalk:
    """Walks a directory for what has a newer ctime, which no program can set (inode(7))."""

    def __init__(self, root: str, since: int, *, removes: bool) -> None:
        self._root = root
        self._since = since
        self._removes = removes
        self._lower = _list_lower_layers(root)
        self.made: list[str] = []
        self.unseen = ""

    def list_lost(self) -> Iterator[str]:
        """Yield what was changed or removed; note what was made, and where it ends early."""
        end, seen = time.monotonic() + _MOST_SECONDS, 0
        for folder, folders, files in os.walk(self._root):
            seen += len(folders) + len(files)
            if seen > _MOST_FILES or time.monotonic() > end:
                self.unseen = os.path.relpath(folder, self._root)
                return
            known = len(self.made)
            for name in (*folders, *files):
                yield from self._look(os.path.join(folder, name))  # noqa: PTH118 (many files)
            made = {os.path.basename(path) for path in self.made[known:]}  # noqa: PTH119
            folders[:] = [name for name in folders if name not in made]
            if self._has_lost_entries(folder, made):
                yield os.path.relpath(folder, self._root)

    def _look(self, path: str) -> Iterator[str]:
        try:
            found = os.lstat(path)
        except OSError:
            return
        if found.st_ctime_ns < self._since:
            return
        relative = os.path.relpath(path, self._root)
        birth = read_birth_time(path)
        below = self._find_below(relative)
        if birth is not None and birth >= self._since and below is None:
            self.made.append(relative)
        elif not stat.S_ISDIR(found.st_mode) or self._has_own_change(found, below):
            yield relative

    def _has_own_change(self, folder: os.stat_result, below: str | None) -> bool:
        """Return whether a directory itself changed: entries are looked at one by one.

        Copied up in an overlay, it has a new ctime without having changed.
        """
        changed = folder.st_mtime_ns < self._since
        return changed and not (below and _has_same_owner(folder, below))

    def _has_lost_entries(self, folder: str, made: set[str]) -> bool:
        """Return whether a directory's entries changed in a way that what is there does not show.

        Something was made and removed again, or was there before and is not any more.
        """
        changed = os.lstat(folder).st_mtime_ns >= self._since
        return changed and (self._removes or not made)

    def _find_below(self, relative: str) -> str | None:
        """Return where an overlay has a path from: it was copied up then, not made.

        None if it is from no lower layer; "" if those cannot be seen.
        """
        if self._lower is None:
            return None
        paths = (f"{layer}/{relative}" for layer in self._lower)
        return next(filter(os.path.lexists, paths), None) if self._lower else ""


def _has_same_owner(found: os.stat_result, below: str) -> bool:
    other = os.lstat(below)
    return all(
        getattr(found, name) == getattr(other, name) for name in ("st_mode", "st_uid", "st_gid")
    )


def _list_lower_layers(root: str) -> Sequence[str] | None:
    """Return the lower layers of the overlay that has a directory; None if no overlay has it.

    None of them if they cannot be seen: then anything may be from below.
    """
    best: tuple[str, list[str]] = ("", [])
    for line in Path("/proc/self/mountinfo").read_text(errors="surrogateescape").splitlines():
        fields = line.split(" ")
        target = fields[4]
        inside = root == target or root.startswith(target.rstrip("/") + "/")
        if inside and len(target) >= len(best[0]):
            best = (target, fields[fields.index("-") + 1 :])
    if best[1][:1] != ["overlay"]:
        return None
    options = best[1][2].split(",") if len(best[1]) > 2 else []
    lowers = [each.partition("=")[2] for each in options if each.startswith("lowerdir")]
    layers = [layer for value in lowers for layer in value.split(":") if layer]
    below = os.path.relpath(root, best[0])
    paths = [os.path.normpath(os.path.join(_unescape(layer), below)) for layer in layers]  # noqa: PTH118
    return paths if paths and all(map(os.path.isdir, paths)) else []


def _unescape(text: str) -> str:
    """Undo overlayfs's own escapes of colons and backslashes in paths."""
    return _ESCAPED.sub(r"\1", text)
