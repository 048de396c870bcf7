"""Assign a stage to each segment by facts: what was exec'd where, and under which filters.

A container is *entered* at the first exec or filter load that finds a process with another mount
namespace and another root than those with which its running program was exec'd. If that was a
filter load, the process is filtered-init until its next exec, and the program from there; if it was
an exec (no filter), it is the program at once. The *runtime* is the program exec'd last before
that, not counting itself: runc runs /proc/self/exe and a sealed copy of itself. Names decide only
what no fact shows: which programs are engine, shim and client (decision 0009).

The start of a container that was found running was not observed: its processes are program. A
process that joins it later is init until its first exec or filter load, which is the entry. Its
runtime is known if it was noticed (`seclatch.recording.attribution.exec_sessions`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from seclatch.model.stage import Stage
from seclatch.recording.trace.event_kinds import EventKind
from seclatch.recording.trace.trace import ENTRY_VERBS, Segment, Trace

# Segments at which the running program is known, or known to be unknown.
_IMAGES = (EventKind.EXEC, EventKind.ROOT, EventKind.FOUND, EventKind.MEMBER, EventKind.JOINED)

SELF_EXEC_PREFIXES = ("/proc/self/", "/proc/thread-self/", "/dev/fd/")
"""Paths by which a program execs itself: fexecve(3) and memfd, then /proc."""

_STAGES_BY_NAME = {
    "docker": Stage.CLIENT,
    "nerdctl": Stage.CLIENT,
    "ctr": Stage.CLIENT,
    "crictl": Stage.CLIENT,
    "dockerd": Stage.ENGINE,
    "containerd": Stage.ENGINE,
    "podman": Stage.ENGINE,
    "conmon": Stage.ENGINE,
    "crio": Stage.ENGINE,
    "containerd-shim": Stage.SHIM,
    "containerd-shim-runc-v1": Stage.SHIM,
    "containerd-shim-runc-v2": Stage.SHIM,
}


@dataclass(frozen=True, slots=True)
class EnteredSession:
    """One entry into a container: its start, or an exec session.

    Segments by their numbers; `runtime` is 0 if it was not followed.
    """

    entry: int
    runtime: int
    container: int
    joined: bool


@dataclass(slots=True)
class StageAssignment:
    """The result: a stage for each segment, and the session of those that belong to one."""

    stages: dict[int, Stage] = field(default_factory=dict)
    sessions: list[EnteredSession] = field(default_factory=list)
    session_of: dict[int, int] = field(default_factory=dict)


def assign_stages(trace: Trace) -> StageAssignment:
    """Assign a stage to every segment."""
    entries = _find_entries(trace)
    staging = StageAssignment()
    _add_members(trace, staging)
    for entry in entries:
        _add_session(trace, entry, staging)
    heirs = _StageInheritance(trace, staging)
    # Numbers ascend with time, so parents come before children.
    for number in sorted(trace.segments):
        if number not in staging.stages:
            heirs.place(trace.segments[number])
    return staging


def find_entry(trace: Trace) -> Segment | None:
    """Return the entry into the first container by a followed process; None before that."""
    for entry in _find_entries(trace):
        first = trace.processes[entry.process].segments[0]
        if trace.segments[first].kind != EventKind.JOINED:
            return entry
    return None


def list_ancestry(trace: Trace, segment: Segment) -> Iterator[Segment]:
    """Yield the segment, the one that it came from, and so on to the first."""
    at: Segment | None = segment
    while at is not None:
        yield at
        at = trace.segments.get(at.parent)


def find_image(trace: Trace, segment: Segment) -> Segment | None:
    """Return the segment that exec'd the program running in a segment."""
    for ancestor in list_ancestry(trace, segment):
        if ancestor.kind in _IMAGES:
            return ancestor
    return None


def _find_previous_image(trace: Trace, segment: Segment) -> Segment | None:
    parent = trace.segments.get(segment.parent)
    return find_image(trace, parent) if parent else None


def _is_entry(trace: Trace, segment: Segment) -> bool:
    """Return whether a container is entered at this segment, as the module defines it."""
    if segment.kind not in (EventKind.EXEC, EventKind.FILTER):
        return False
    home = _find_previous_image(trace, segment)
    if home is not None and home.kind in (EventKind.MEMBER, EventKind.JOINED):
        return home.kind == EventKind.JOINED and home.process == segment.process
    # The facts of a daemon found running are incomplete; what it execs is a shim, not a container.
    if home is None or home.kind == EventKind.FOUND or home.facts.mounts == segment.facts.mounts:
        return False
    # A bundle may have the host's / as its root; then the filter shows the entry.
    filtered = segment.facts.filters > home.facts.filters
    return filtered or home.facts.root != segment.facts.root


def _find_entries(trace: Trace) -> list[Segment]:
    """Return the segments that enter containers: one per session, none inside of containers."""
    first: dict[int, Segment] = {}
    for number in sorted(trace.segments):
        segment = trace.segments[number]
        if segment.process not in first and _is_entry(trace, segment):
            first[segment.process] = segment
    return [entry for entry in first.values() if not _is_nested(trace, entry, first)]


def _is_nested(trace: Trace, entry: Segment, first: dict[int, Segment]) -> bool:
    """Return whether an entry is nested: a hook forked from init, or a container in a container."""
    for ancestor in list_ancestry(trace, entry):
        other = first.get(ancestor.process)
        if ancestor.kind == EventKind.MEMBER or (
            ancestor.process != entry.process and other is not None
        ):
            return True
    return False


def _add_members(trace: Trace, staging: StageAssignment) -> None:
    """Assign the processes of a container that was found running: one session, started before."""
    members = [segment for segment in trace.segments.values() if segment.kind == EventKind.MEMBER]
    if members:
        staging.sessions.append(EnteredSession(members[0].id, 0, 0, False))
    for member in members:
        _place(staging, member.id, Stage.PROGRAM, 0)


def _add_session(trace: Trace, entry: Segment, staging: StageAssignment) -> None:
    """Assign the stages of a session's own line: runtime, init, filtered-init, program."""
    runtime = _find_runtime(trace, entry)
    number = len(staging.sessions)
    staging.sessions.append(_make_session(trace, entry, runtime, staging.sessions))
    for ancestor in list_ancestry(trace, entry):
        if ancestor.id == entry.id:
            continue
        same = ancestor.process == runtime.process and runtime.kind != EventKind.JOINED
        _place(
            staging, ancestor.id, Stage.RUNTIME if same else _choose_init_stage(ancestor), number
        )
        if ancestor.id == runtime.id:
            break
    front = trace.segments.get(runtime.parent)
    if front and front.kind in (EventKind.EXEC, EventKind.FOUND) and _is_front(front, runtime):
        _place(staging, front.id, Stage.RUNTIME, number)
    stage = Stage.PROGRAM if entry.kind == EventKind.EXEC else Stage.FILTERED_INIT
    _place(staging, entry.id, stage, number)


def _choose_init_stage(segment: Segment) -> Stage:
    """Return init, or filtered-init for one found waiting for its start with its filter loaded."""
    found = segment.kind == EventKind.JOINED and segment.file
    return Stage.FILTERED_INIT if found and segment.facts.filters else Stage.INIT


def _place(staging: StageAssignment, segment: int, stage: Stage, session: int) -> None:
    staging.stages[segment] = stage
    staging.session_of[segment] = session


def _is_front(front: Segment, runtime: Segment) -> bool:
    """Return whether a latch's front exec'd the runtime, in its process and with its arguments."""
    return front.process == runtime.process and front.argv[1:] == runtime.argv[1:]


def _find_runtime(trace: Trace, entry: Segment) -> Segment:
    image = _find_previous_image(trace, entry) or entry
    while image.file.startswith(SELF_EXEC_PREFIXES):
        earlier = _find_previous_image(trace, image)
        if earlier is None or earlier.kind == EventKind.ROOT:
            break
        image = earlier
    return image


def _make_session(
    trace: Trace, entry: Segment, runtime: Segment, earlier: list[EnteredSession]
) -> EnteredSession:
    """Make the session of an entry: of a new container, or of one that is there already.

    A session joins the last container of the same mount namespace, or if its pid 1 is another
    process. Pid 1 of a pid namespace of its own always begins a container: the kernel reuses the
    number of a mount namespace that has gone at once. A container in the pid namespace of its pod
    has another pid 1 too; there only the runtime's verb distinguishes a start from an exec session.
    """
    joined = runtime.kind == EventKind.JOINED
    own_pids = entry.facts.pids != runtime.facts.pids
    begins = own_pids and (entry.facts.local_pid == 1 or _is_start(runtime))
    for session in () if begins else reversed(earlier):
        if trace.segments[session.entry].facts.mounts == entry.facts.mounts:
            return EnteredSession(entry.id, 0 if joined else runtime.id, session.container, True)
    container = len({session.container for session in earlier})
    if joined:
        return EnteredSession(entry.id, 0, container, not runtime.file)
    return EnteredSession(entry.id, runtime.id, container, own_pids and not begins)


def _is_start(runtime: Segment) -> bool:
    """Return whether the runtime was called to start a container (OCI command line)."""
    return next((word for word in runtime.argv if word in ENTRY_VERBS), "") in ("create", "run")


class _StageInheritance:
    """Assigns stages by the parent segment and by what is exec'd."""

    def __init__(self, trace: Trace, staging: StageAssignment) -> None:
        sessions = staging.sessions
        self._staging = staging
        self._callers = trace.session_callers
        self._entered = {trace.segments[session.entry].process for session in sessions}
        runtimes = [trace.segments[session.runtime] for session in sessions if session.runtime]
        self._runtimes = {runtime.file for runtime in runtimes}
        for runtime in runtimes:  # a front also calls the runtime to delete
            front = trace.segments.get(runtime.parent)
            if front and front.kind == EventKind.EXEC and _is_front(front, runtime):
                self._runtimes.add(front.file)
        self._by_default = Stage.CLIENT if self._runtimes else Stage.PROGRAM

    def place(self, segment: Segment) -> None:
        """Assign a stage to a segment whose parent has one."""
        before = self._staging.stages.get(segment.parent)
        self._staging.stages[segment.id] = self._stage(segment, before)
        session = self._staging.session_of.get(segment.parent)
        if session is not None:
            self._staging.session_of[segment.id] = session

    def _stage(self, segment: Segment, before: Stage | None) -> Stage:
        if segment.kind == EventKind.JOINED:
            return _choose_init_stage(segment)
        if before is Stage.PROGRAM or segment.kind not in (EventKind.EXEC, EventKind.FOUND):
            return before or self._by_default
        if before is Stage.FILTERED_INIT and segment.process in self._entered:
            return Stage.PROGRAM
        if before in (Stage.RUNTIME, Stage.INIT, Stage.FILTERED_INIT, Stage.HOOK):
            # A front execs the runtime in the same process.
            again = before is Stage.RUNTIME and segment.file in self._runtimes
            return before if again or segment.file.startswith(SELF_EXEC_PREFIXES) else Stage.HOOK
        if segment.file in self._runtimes:
            return Stage.RUNTIME
        # An exec without a parent segment is by a process that entered the recorded container
        # without a fork, or of a runtime outside that names it.
        unseen = segment.kind == EventKind.EXEC and not segment.parent
        unseen = unseen and segment.id not in self._callers
        default = Stage.PROGRAM if unseen else self._by_default
        return _STAGES_BY_NAME.get(PurePosixPath(segment.file).name, default)
