"""Bring the listed profiles into kubelet's seccomp directory, content-addressed.

A file `seclatch/NAME-SHA12.json` never changes, so that a pod's template says what its containers
are under, and going back is a change of the template. A file that is no longer listed stays for
some days: pods that were made with it start their containers again.
"""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from seclatch.errors import SeclatchError
from seclatch.fleet.profile_list import NAME, ListedProfile
from seclatch.fleet.pull_profile import PullPolicy, pull_profile
from seclatch.output.result_file import replace_file
from seclatch.registry.registry_http import RegistryAccess

FOLDER = "seclatch"
"""Below kubelet's seccomp directory; a pod's localhostProfile begins with it."""

_OURS = re.compile(rf"{NAME.pattern}-[0-9a-f]{{12}}\.json")


@dataclass(frozen=True, slots=True)
class NodeLimits:
    """How long a file stays that is not listed; and what raises SeclatchError in time.

    `end_in_time` is entered for each profile, with what is done: one limit for all would end with
    the first error, which is that profile's alone.
    """

    keep_seconds: float
    end_in_time: Callable[[str], AbstractContextManager[None]]


@dataclass(slots=True)
class NodeProfiles:
    """What was done; `failed` has one sentence for each profile that is not there."""

    there: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


def bring_profiles(
    listed: Sequence[ListedProfile],
    seccomp_folder: Path,
    access: RegistryAccess,
    policy: PullPolicy,
    limits: NodeLimits,
) -> NodeProfiles:
    """Fetch what is missing, keep what is there, remove what was not listed for too long.

    One profile that cannot be had does not keep the others from coming. Raises SeclatchError if
    the directory cannot be used.
    """
    folder = _open_folder(seccomp_folder)
    done = NodeProfiles()
    for one in listed:
        path = folder / one.file_name
        try:
            if _is_there(path):
                os.utime(path)  # listed now: the time of removal counts from the last time
                done.there.append(one.file_name)
            else:
                with limits.end_in_time(f"pulling {one.reference}"):
                    pulled = pull_profile(one.reference, access, policy)
                replace_file(path, pulled.data, lasting=True)
                path.chmod(0o644)
                done.added.append(one.file_name)
        except (SeclatchError, OSError) as error:
            done.failed[one.file_name] = str(error)
    _remove_old(folder, {one.file_name for one in listed}, limits.keep_seconds, done)
    return done


def _open_folder(seccomp_folder: Path) -> Path:
    folder = seccomp_folder / FOLDER
    try:
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise SeclatchError(
            f"making {folder}: {error.strerror}",
            remedy="--seccomp-dir: kubelet's, by default /var/lib/kubelet/seccomp",
        ) from error
    if not stat.S_ISDIR(found.st_mode) or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise SeclatchError(
            f"{folder}: a link, or writable for others: not a place for profiles",
            remedy=f"chmod 755 {folder}",
        )
    return folder


def _is_there(path: Path) -> bool:
    """Return whether the file is there; one that is empty was lost in a crash."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_size > 0


def _remove_old(folder: Path, listed: set[str], keep_seconds: float, done: NodeProfiles) -> None:
    oldest = time.time() - keep_seconds
    for path in sorted(folder.iterdir()):
        if path.name in listed or not _OURS.fullmatch(path.name):
            continue
        if path.lstat().st_mtime < oldest:
            path.unlink(missing_ok=True)
            done.removed.append(path.name)
