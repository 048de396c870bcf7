"""Read recording files, or the part of one container, or all but exec sessions."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from seclatch.errors import InputError, SeclatchError
from seclatch.model.recording.recording import Recording
from seclatch.model.recording.recording_sums import RecordingSums
from seclatch.model.recording.select_recording import drop_sessions, has_container, keep_container
from seclatch.recording.files import recording_file

_Kind = TypeVar("_Kind", Recording, RecordingSums)
_MOST_NAMED = 8


def read_selected(
    paths: Iterable[Path], container: str = "", *, sessions: bool = True
) -> dict[Path, Recording]:
    """Read recordings; `container`: only of this one, by its name in the pod, or its id.

    `sessions`: with exec sessions. Raises InputError; SeclatchError if no file has the container.
    """
    found = {path: recording_file.read_recording(path) for path in paths}
    if container:
        kept = {path: each for path, each in found.items() if has_container(each, container)}
        if not kept:
            raise _no_container(found.values(), container)
        found = {path: _keep(path, recording, container) for path, recording in kept.items()}
    if sessions:
        return found
    return {path: without_sessions(path, recording) for path, recording in found.items()}


def without_sessions(path: Path, recording: _Kind) -> _Kind:
    """Return the recording without exec sessions. Raises InputError for a merged one."""
    try:
        return drop_sessions(recording)
    except ValueError as error:
        remedy = "leave them out where you merge: `seclatch record merge --no-sessions`"
        raise InputError(str(path), "", str(error), remedy=remedy) from error


def _keep(path: Path, recording: Recording, container: str) -> Recording:
    try:
        return keep_container(recording, container)
    except ValueError as error:
        remedy = "merge by container: `seclatch record merge --into DIR`"
        raise InputError(str(path), "", str(error), remedy=remedy) from error


def _no_container(recordings: Iterable[Recording], container: str) -> SeclatchError:
    names = sorted({name for recording in recordings for name in recording.container_names})
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    here = ", ".join(names[:_MOST_NAMED]) + more
    return SeclatchError(
        f"no recording is of a container {container}",
        remedy=f"they are of {here}" if names else "they name no container of a pod; give its id",
        status=2,
    )
