"""Select a part of a recording: one container's, or all but exec sessions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from seclatch.model.recording.recording import (
    RecordedContainer,
    RecordedSession,
    Recording,
    list_container_names,
)
from seclatch.model.recording.recording_sums import RecordingSums

_MIN_ID_LENGTH = 3

_Recording = TypeVar("_Recording", Recording, RecordingSums)


def has_container(recording: Recording | RecordingSums, name: str) -> bool:
    """Return whether a container of the recording has that name in its pod, or that id."""
    if any(_is_named(container, name) for container in recording.containers):
        return True
    return not recording.containers and name in recording.container_names


def keep_container(recording: _Recording, name: str) -> _Recording:
    """Return the part of the container of that name; what is not in any container is kept.

    Raises ValueError for a merged recording that has other containers too.
    """
    if not recording.containers:
        if recording.container_names != [name]:
            raise ValueError("it is a merged recording, which does not tell its containers apart")
        return recording
    kept = {each.id for each in recording.containers if _is_named(each, name)}
    containers = [each for each in recording.containers if each.id in kept]
    return _restrict(recording, containers, lambda session: session.container in kept)


def drop_sessions(recording: _Recording) -> _Recording:
    """Return the recording without exec sessions: probes, health checks, `exec` by hand.

    Values of arguments are not recorded by process: those of sessions remain. Raises ValueError for
    a merged recording.
    """
    if any(call.process is None for call in recording.calls):
        raise ValueError("it is a merged recording, which does not tell exec sessions apart")
    return _restrict(recording, recording.containers, lambda session: not session.joined)


def _restrict(
    recording: _Recording,
    containers: list[RecordedContainer],
    is_kept: Callable[[RecordedSession], bool],
) -> _Recording:
    sessions = [session for session in recording.sessions if is_kept(session)]
    numbers = {session.id for session in sessions}
    left_out = {
        process.id
        for process in recording.processes
        if process.session is not None and process.session not in numbers
    }
    parts: dict[str, Any] = {
        "containers": containers,
        "container_names": list_container_names(containers),
        "sessions": sessions,
        "processes": [each for each in recording.processes if each.id not in left_out],
        "calls": [each for each in recording.calls if each.process not in left_out],
        "denials": [each for each in recording.denials if each.process not in left_out],
        "denied_arguments": [
            each for each in recording.denied_arguments if each.process not in left_out
        ],
        "images": sorted({each.image for each in containers if each.image}) or recording.images,
    }
    if isinstance(recording, Recording):
        parts["events"] = [each for each in recording.events if each.process not in left_out]
    return msgspec.structs.replace(recording, **parts)


def _is_named(container: RecordedContainer, name: str) -> bool:
    if container.pod is not None and name in (container.pod.container, str(container.pod)):
        return True
    return container.name == name or (
        len(name) >= _MIN_ID_LENGTH and container.name.startswith(name)
    )
