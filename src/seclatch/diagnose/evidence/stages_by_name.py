"""Stages of a start that failed before a container was entered: nothing tells them but names.

Without an entry `recording.trace.assign_stages` takes everything for a program of the host.
Here a runtime that was asked to make a container is one all the same, and what it forked is its
init.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from seclatch.model.stage import Stage
from seclatch.recording.trace.assign_stages import StageAssignment, list_ancestry
from seclatch.recording.trace.event_kinds import EventKind
from seclatch.recording.trace.trace import Segment, Trace

RUNTIMES = ("runc", "crun", "youki", "runsc", "kata-runtime")
_VERBS = {"create", "run", "restore", "exec"}
_ITSELF = ("/proc/self/", "/proc/thread-self/", "/dev/fd/")
_CLIENTS = {
    "docker": Stage.CLIENT,
    "podman": Stage.ENGINE,
    "ctr": Stage.CLIENT,
    "nerdctl": Stage.CLIENT,
    "crictl": Stage.CLIENT,
    "conmon": Stage.ENGINE,
    "seclatch": Stage.CLIENT,
}


def assign_by_name(trace: Trace, staging: StageAssignment) -> None:
    """Correct the stages of what belongs to runtimes that entered no container."""
    entered = {session.runtime for session in staging.sessions}
    entered |= {trace.segments[process].parent for process in entered}
    runtimes = {
        number
        for number, segment in trace.segments.items()
        if is_start(segment) and number not in entered
    }
    if not runtimes and staging.sessions:
        return
    for segment in trace.segments.values():
        for ancestor in list_ancestry(trace, segment):
            if ancestor.id in runtimes:
                staging.stages[segment.id] = _below(trace, ancestor, segment)
                break
        else:
            _by_name(trace, staging, segment, expected=bool(runtimes))


def is_start(segment: Segment) -> bool:
    """Whether a runtime is told to make a container, or to enter one."""
    name = PurePosixPath(segment.file).name.removeprefix("seclatch-")
    return (
        segment.kind == EventKind.EXEC and name in RUNTIMES and bool(_VERBS & set(segment.argv[1:]))
    )


def is_client(segment: Segment) -> bool:
    """Whether an engine's client, or `seclatch run`, is told to start or enter a container."""
    words = [PurePosixPath(word).name for word in segment.argv[:3]]
    known = any(word in _CLIENTS for word in words)
    return segment.kind == EventKind.EXEC and known and bool({"start", *_VERBS} & set(segment.argv))


def _below(trace: Trace, runtime: Segment, segment: Segment) -> Stage:
    """What runs below a runtime: itself, its init, or a program that it runs, a hook."""
    if segment.process == runtime.process:
        return Stage.RUNTIME
    for ancestor in list_ancestry(trace, segment):
        if ancestor.id == runtime.id:
            break
        if ancestor.kind == EventKind.EXEC and not ancestor.file.startswith(_ITSELF):
            return Stage.HOOK
    return Stage.INIT


def _by_name(trace: Trace, staging: StageAssignment, segment: Segment, *, expected: bool) -> None:
    """Clients and engines; other programs only if all was for a container's start."""
    if staging.sessions:
        return
    for ancestor in list_ancestry(trace, segment):
        if is_client(ancestor):
            name = PurePosixPath(ancestor.argv[0]).name
            staging.stages[segment.id] = _CLIENTS.get(name, Stage.CLIENT)
            return
    if expected and staging.stages[segment.id] is Stage.PROGRAM:
        staging.stages[segment.id] = Stage.CLIENT
