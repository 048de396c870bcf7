"""Derive stages from program names, for a start that failed before a container was entered.

Without an entry `recording.trace.assign_stages` takes every process for a program of the host. Here
a program with a runtime's name that was called to make a container is a runtime, and the process
that it forked is its init.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from seclatch.model.stage import Stage
from seclatch.recording.trace.assign_stages import StageAssignment, list_ancestry
from seclatch.recording.trace.event_kinds import EventKind
from seclatch.recording.trace.trace import Segment, Trace

RUNTIMES = ("runc", "crun", "youki", "runsc", "kata-runtime")
_VERBS = {"create", "run", "restore", "exec"}
_SELF_EXEC_PREFIXES = ("/proc/self/", "/proc/thread-self/", "/dev/fd/")
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
    """Correct the stages of runtimes that entered no container, and of their children."""
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
                staging.stages[segment.id] = _find_stage_below(trace, ancestor, segment)
                break
        else:
            _assign_client(trace, staging, segment, expected=bool(runtimes))


def is_start(segment: Segment) -> bool:
    """Return whether a runtime was called to make or enter a container."""
    name = PurePosixPath(segment.file).name.removeprefix("seclatch-")
    return (
        segment.kind == EventKind.EXEC and name in RUNTIMES and bool(_VERBS & set(segment.argv[1:]))
    )


def is_client(segment: Segment) -> bool:
    """Return whether an engine's client, or `seclatch run`, was called to start or enter one."""
    words = [PurePosixPath(word).name for word in segment.argv[:3]]
    known = any(word in _CLIENTS for word in words)
    return segment.kind == EventKind.EXEC and known and bool({"start", *_VERBS} & set(segment.argv))


def _find_stage_below(trace: Trace, runtime: Segment, segment: Segment) -> Stage:
    """Return the stage below a runtime: runtime, init, or hook for a program that it runs."""
    if segment.process == runtime.process:
        return Stage.RUNTIME
    for ancestor in list_ancestry(trace, segment):
        if ancestor.id == runtime.id:
            break
        if ancestor.kind == EventKind.EXEC and not ancestor.file.startswith(_SELF_EXEC_PREFIXES):
            return Stage.HOOK
    return Stage.INIT


def _assign_client(
    trace: Trace, staging: StageAssignment, segment: Segment, *, expected: bool
) -> None:
    """Assign clients and engines; other programs only if a container was to be started."""
    if staging.sessions:
        return
    for ancestor in list_ancestry(trace, segment):
        if is_client(ancestor):
            name = PurePosixPath(ancestor.argv[0]).name
            staging.stages[segment.id] = _CLIENTS.get(name, Stage.CLIENT)
            return
    if expected and staging.stages[segment.id] is Stage.PROGRAM:
        staging.stages[segment.id] = Stage.CLIENT
