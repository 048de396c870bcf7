"""Read a running profile from a directory that only root can write to.

A container's annotation names the profile, and the profile decides what the container is denied:
if another user could put a file there, the container would choose its own.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import PurePosixPath

from seclatch.errors import SeclatchError
from seclatch.profile.parse.profile_source import MAX_SIZE, ProfileSource

DIRECTORY = "/etc/seclatch/running"
SUFFIX = ".json"
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def read_running_profile(directory: str, name: str) -> ProfileSource:
    """Read NAME.json, through directories that are root's and no links. Raises SeclatchError."""
    path = PurePosixPath(directory) / f"{name}{SUFFIX}"
    folder = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for place, part in _list_parts(path):
            entered = _open_trusted(folder, part, place, last=place == path)
            os.close(folder)
            folder = entered
        with os.fdopen(os.dup(folder), "rb") as file:
            content = file.read(MAX_SIZE + 1)
    finally:
        os.close(folder)
    if len(content) > MAX_SIZE:
        raise SeclatchError(f"reading {path}: larger than {MAX_SIZE >> 20} MiB: not a profile")
    return ProfileSource(str(path), content)


def _list_parts(path: PurePosixPath) -> Iterator[tuple[PurePosixPath, str]]:
    for place in [*reversed(path.parents), path][1:]:
        yield place, place.name


def _open_trusted(folder: int, part: str, place: PurePosixPath, *, last: bool) -> int:
    flags = _FLAGS if last else _FLAGS | os.O_DIRECTORY
    try:
        fd = os.open(part, flags, dir_fd=folder)
    except OSError as error:
        raise SeclatchError(
            f"reading the running profile {place}: {error.strerror}",
            remedy=f"put it there as a plain file, and use no symbolic links: {place}",
        ) from error
    problem = _find_problem(os.fstat(fd), last=last)
    if problem:
        os.close(fd)
        raise SeclatchError(
            f"reading the running profile {place}: {problem}",
            remedy=f"chown root:root {place} && chmod go-w {place}",
        )
    return fd


def _find_problem(status: os.stat_result, *, last: bool) -> str:
    """Return why others than root could change what is there; "" if they cannot.

    In a directory like /tmp (sticky) others may add, but not replace what is root's.
    """
    if status.st_uid != 0:
        return f"it belongs to user {status.st_uid} and not to root"
    if last and not stat.S_ISREG(status.st_mode):
        return "it is no regular file"
    sticky = not last and status.st_mode & stat.S_ISVTX
    return "" if sticky or not status.st_mode & 0o022 else "others than root can write to it"
