"""An engine's copy of the latch: the program, and the links that configure it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from seclatch.engines.installation.engine import LATCHES, LatchRegistration
from seclatch.engines.installation.file_change import (
    ChangeStep,
    DirectoryChange,
    FileChange,
    FileState,
    LinkChange,
    read_file,
)
from seclatch.engines.installation.host_root import HostRoot
from seclatch.errors import SeclatchError
from seclatch.runtime.find_latch import RUNTIMES
from seclatch.system.recorder_client import DEFAULT_SOCKET

PURPOSE = "the latch, called in place of the runtime"

# Of the links beside it: how to start, the recorder, the real runtime, the supervisor.
SUFFIXES = (".mode", ".record", ".runtime", ".tighten")


def place_latch(
    root: HostRoot, wish: LatchRegistration, latch: bytes, runtime: str
) -> list[ChangeStep]:
    """Return the steps that put the latch and its links in place; none if all are there."""
    front = root.resolve(wish.front)
    refuse_unsafe(root, front)
    wanted = FileState(latch, 0o755, *choose_owner())
    present = read_file(front)
    steps: list[ChangeStep] = []
    if present is None or not is_as_wanted(present, wanted):
        steps.append(FileChange(front, present, wanted, PURPOSE))
    links = {f"{front.name}.runtime": runtime}
    if wish.mode != "auto":
        links[f"{front.name}.mode"] = wish.mode
    if wish.recorder:
        links[f"{front.name}.record"] = DEFAULT_SOCKET
    if wish.running_profiles:
        links[f"{front.name}.tighten"] = f"{wish.directory}/supervisor"
    for name, target in links.items():
        steps += point_link(front.with_name(name), target)
    return steps + remove_latches(root, wish.engine, keep={front.name, *links})


def read_mode(root: HostRoot, wish: LatchRegistration) -> str:
    """Return how the installed latch starts containers; the wish's mode where none is installed."""
    front = root.resolve(wish.front)
    link = front.with_name(f"{front.name}.mode")
    return str(link.readlink()) if link.is_symlink() else wish.mode


def list_names() -> list[str]:
    """List the names of what may be in an engine's directory: latches and their links."""
    return [runtime + suffix for runtime in RUNTIMES for suffix in ("", *SUFFIXES)]


def remove_latches(root: HostRoot, engine: str, keep: set[str] | None = None) -> list[ChangeStep]:
    """Return the steps that remove an engine's latches and links, except those to keep."""
    directory = root.resolve(f"{LATCHES}/{engine}")
    steps: list[ChangeStep] = []
    for runtime in RUNTIMES:
        for suffix in SUFFIXES:
            if runtime + suffix not in (keep or ()):
                steps += point_link(directory / (runtime + suffix), None)
        if runtime not in (keep or ()) and (present := read_file(directory / runtime)):
            steps.append(FileChange(directory / runtime, present, None, PURPOSE))
    return steps


def point_link(link: Path, target: str | None) -> list[ChangeStep]:
    """Return the step that points a link at `target` (None: removes it), if needed."""
    if not link.is_symlink() and link.exists():
        raise SeclatchError(
            f"looking at {link}: this is not a symbolic link, so it is not ours",
            remedy="move it away and run the command again",
        )
    before = str(link.readlink()) if link.is_symlink() else None
    return [] if before == target else [LinkChange(link, before, target)]


def choose_owner() -> tuple[int | None, int | None]:
    """Return the owner of new files: root, or the caller on a tree of his own."""
    return (0, 0) if os.geteuid() == 0 else (None, None)


def get_owner_uid() -> int:
    """Return the user that owns new files."""
    return os.geteuid()


def is_as_wanted(present: FileState, wanted: FileState) -> bool:
    """Return whether a file is as wanted; labels that the system adds do not count."""
    return (present.content, present.mode) == (wanted.content, wanted.mode) and (
        wanted.uid in (None, present.uid)
    )


def refuse_unsafe(root: HostRoot, front: Path) -> None:
    """Refuse a place where others than root could replace a program that root will run."""
    for directory in (parent for parent in front.parents if parent.is_relative_to(root.prefix)):
        try:
            status = directory.stat()
        except FileNotFoundError:
            continue
        loose = status.st_mode & stat.S_IWOTH and not status.st_mode & stat.S_ISVTX
        if loose or status.st_uid not in (0, os.geteuid()):
            raise SeclatchError(
                f"placing the latch in {front.parent}: {directory} can be changed by others than "
                "root, and an engine runs what is there as root",
                remedy=f"chown root:root {directory} && chmod o-w {directory}",
            )


def refuse_unsafe_file(file: Path) -> None:
    """Refuse a file that others than root can write to, and root will execute."""
    try:
        status = file.stat()
    except FileNotFoundError:
        return
    if status.st_mode & stat.S_IWOTH or status.st_uid not in (0, os.geteuid()):
        raise SeclatchError(
            f"placing the recorder: {file} can be changed by others than root, and a start of a "
            "container runs it as root",
            remedy=f"chown root:root {file} && chmod o-w {file}, or install seclatch as root in "
            "another place, such as /opt/seclatch",
        )


def list_missing_directories(root: HostRoot, paths: Sequence[str]) -> list[Path]:
    """List the directories to make so that these (absolute, in root) exist."""
    missing: dict[Path, None] = {}
    for path in paths:
        resolved = root.resolve(path)
        chain = [resolved, *resolved.parents]
        missing |= dict.fromkeys(one for one in reversed(chain) if not one.exists())
    return list(missing)


def make_directories(paths: Sequence[Path], private: Path | None = None) -> list[ChangeStep]:
    """Return the steps that make the directories, outermost first; `private` for its owner only."""
    return [
        DirectoryChange(path, present=True, mode=0o700 if path == private else 0o755)
        for path in paths
    ]


def remove_directories(paths: Sequence[Path], removed: set[Path]) -> Iterator[ChangeStep]:
    """Yield steps for the directories that are empty once `removed` is gone, deepest first."""
    gone = set(removed)
    for path in sorted(set(paths), key=lambda one: (-len(one.parts), one)):
        if path.is_dir() and set(path.iterdir()) <= gone:
            gone.add(path)
            yield DirectoryChange(path, present=False)
