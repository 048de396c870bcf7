"""Temporary files that an interrupted `install` or `uninstall` left; the next one removes them.

A file is written beside its place and renamed. A process killed in between (SIGKILL, power cut)
removes nothing, so the name says of which process it is: one that runs may still rename it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from seclatch.engines.installation.file_change import ChangeStep, FileChange, LinkChange, read_file

PURPOSE = "left by an interrupted run"

_END = re.compile(r"(?:(?P<pid>[0-9]+)\.)?[0-9a-z_]+\.seclatch")


def remove_leftovers(paths: Iterable[Path]) -> list[ChangeStep]:
    """Return the steps that remove what was left beside these files."""
    steps: list[ChangeStep] = []
    for path in paths:
        start = f".{path.name}."
        for name in sorted(_list_names(path.parent)):
            ending = _END.fullmatch(name.removeprefix(start)) if name.startswith(start) else None
            if ending and not _is_running(ending["pid"]):
                steps += _remove(path.with_name(name))
    return steps


def _remove(path: Path) -> list[ChangeStep]:
    """Leave alone what this program never makes: a directory, a device, another user's file."""
    if path.lstat().st_uid not in (0, os.geteuid()):
        return []
    if path.is_symlink():
        return [LinkChange(path, str(path.readlink()), None)]
    present = read_file(path) if path.is_file() else None
    return [FileChange(path, present, None, PURPOSE)] if present else []


def _list_names(directory: Path) -> list[str]:
    try:
        return [path.name for path in directory.iterdir()]
    except OSError:  # it is not there yet, or nothing of ours is
        return []


def _is_running(pid: str | None) -> bool:
    return pid is not None and Path("/proc", pid).exists()
