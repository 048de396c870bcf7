"""A trace as values: processes, their segments, and what was counted in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from seclatch.recording.trace.event_kinds import EventKind

ENTRY_VERBS = frozenset({"create", "run", "exec"})
"""Commands of an OCI runtime by which a process enters a container."""

PROCESS_BEGINNINGS = frozenset(
    {EventKind.ROOT, EventKind.FORK, EventKind.FOUND, EventKind.MEMBER, EventKind.JOINED}
)
"""Kinds of the first segment of a process."""

_MOST_DROPPED = 200_000

UNIT = 64
"""Arguments of a command line, or distinct calls, that count as one segment in Trace.bulk."""

CallKey = tuple[bool, int]
"""(whether through the 32-bit ABI, number)."""

DenialKey = tuple[bool, int, int]
"""(32-bit, number, errno or 0)."""

ArgumentKey = tuple[int, int, int]
"""(number, index, value)."""


@dataclass(frozen=True, slots=True)
class TaskFacts:
    """A task's state at the beginning of a segment.

    Namespaces are inode numbers. `root` only tells equal root directories from different ones.
    `capabilities`: inheritable, permitted, effective, bounding, ambient; empty if unknown.
    """

    filters: int = 0
    suspended: bool = False
    uid: int = 0
    gid: int = 0
    mounts: int = 0
    pids: int = 0
    users: int = 0
    local_pid: int = 0
    root: int = 0
    comm: str = ""
    euid: int = 0
    egid: int = 0
    net: int = 0
    ipc: int = 0
    uts: int = 0
    cgroup: int = 0
    seccomp: int = 0
    no_new_privs: bool = False
    capabilities: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class SegmentCounts:
    """Copies of a segment's counts."""

    calls: Counter[CallKey] = field(default_factory=Counter)
    denied: Counter[DenialKey] = field(default_factory=Counter)
    arguments: Counter[ArgumentKey] = field(default_factory=Counter)


_NOTHING = SegmentCounts()


@dataclass(slots=True)
class Segment:
    """One process from `time` (ns of CLOCK_MONOTONIC) until its next segment.

    A thread that alone loads a filter gets a segment of its own. `injected`: calls that its tracer
    made in its place before its program's first instruction. `said`: what was written to Unix
    sockets. `closed`: no call is counted in it any more. `before_ready`: what was counted when the
    program was ready, empty in segments that began later; `before_settled`: when the program was
    ready and the process had started, too; None before that. `parent_pid`: the parent of a process
    that was found running, 0 if unknown.
    """

    id: int
    kind: EventKind
    parent: int
    process: int
    time: int
    tid: int
    facts: TaskFacts = TaskFacts()
    file: str = ""
    argv: tuple[str, ...] = ()
    argv_cut: bool = False
    calls: Counter[CallKey] = field(default_factory=Counter)
    denied: Counter[DenialKey] = field(default_factory=Counter)
    injected: Counter[CallKey] = field(default_factory=Counter)
    arguments: Counter[ArgumentKey] = field(default_factory=Counter)
    denied_arguments: Counter[ArgumentKey] = field(default_factory=Counter)
    said: list[bytes] = field(default_factory=list)
    closed: bool = False
    before_ready: SegmentCounts = _NOTHING
    before_settled: SegmentCounts | None = None
    parent_pid: int = 0

    @property
    def bulk(self) -> int:
        """Return its share of Trace.bulk; calls count once the segment is closed."""
        calls = len(self.calls) // UNIT if self.closed else 0
        return 1 + len(self.argv) // UNIT + len(self.said) + calls


@dataclass(slots=True)
class TracedProcess:
    """One process from fork to exit; `pid` is that of the initial namespace."""

    id: int
    pid: int
    parent: int | None
    began: int
    found_running: bool = False
    ended: int | None = None
    status: int | None = None
    segments: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class SeccompSuspension:
    """A tracer suspended seccomp for a task, or ended the suspension."""

    time: int
    segment: int
    tid: int
    lifted: bool


@dataclass(frozen=True, slots=True)
class FirstDenial:
    """The first denial of a call with this errno in a segment."""

    time: int
    segment: int
    tid: int
    call: CallKey
    errno: int


@dataclass(frozen=True, slots=True)
class TraceLoss:
    """What the kernel's buffers and maps could not hold; all zero in a complete recording."""

    events: int = 0
    processes: int = 0
    calls: int = 0
    arguments: int = 0


@dataclass(slots=True)
class Trace:
    """Everything that was observed so far.

    `starts`: segments whose program may be a runtime that starts or enters a container.
    `session_callers`: segments outside of the recorded container that were noticed by its id.
    `named_containers`: ids of the containers that the command names. `bulk`: the size of the trace
    in segments and what takes as much memory (1 to 4 kB). `socket_writers`: segments that wrote to
    a Unix socket. `socket_links`: pairs of processes connected by one, in both orders. `dropped`:
    segments of processes that have been dropped. `begun`: how many processes there have been.
    `folded`: by process of an exec session, how many later sessions' counts are in its own.
    `ready`: when the program was ready (ns), and by which condition.
    """

    processes: dict[int, TracedProcess] = field(default_factory=dict)
    segments: dict[int, Segment] = field(default_factory=dict)
    suspensions: list[SeccompSuspension] = field(default_factory=list)
    stray: Counter[CallKey] = field(default_factory=Counter)
    stray_rare: Counter[CallKey] = field(default_factory=Counter)
    living: set[int] = field(default_factory=set)
    starts: list[int] = field(default_factory=list)
    denials: list[FirstDenial] = field(default_factory=list)
    lost: TraceLoss = TraceLoss()
    session_callers: set[int] = field(default_factory=set)
    named_containers: tuple[str, ...] = ()
    bulk: int = 0
    socket_writers: list[int] = field(default_factory=list)
    socket_links: set[tuple[int, int]] = field(default_factory=set)
    dropped: set[int] = field(default_factory=set)
    begun: int = 0
    folded: dict[int, int] = field(default_factory=dict)
    ready: tuple[int, str] | None = None

    def begin(self, segment: Segment, pid: int) -> None:
        """Add a segment; one of a fork, or without a known parent, begins a process."""
        if segment.parent in self.dropped:  # a late event of a dropped process's child
            self.dropped.add(segment.id)
            return
        before = self.segments.get(segment.parent)
        if segment.kind in PROCESS_BEGINNINGS or before is None:
            segment.process = self.begun
            self.begun += 1
            parent = before.process if before else None
            # The program of a process that was observed to join is not known yet.
            found = segment.kind in (EventKind.FOUND, EventKind.MEMBER) or bool(
                segment.kind == EventKind.JOINED and segment.file
            )
            self.processes[segment.process] = TracedProcess(
                segment.process, pid, parent, segment.time, found
            )
            self.living.add(segment.process)
        else:
            segment.process = before.process
        if ENTRY_VERBS.intersection(segment.argv):
            self.starts.append(segment.id)
        self.bulk += segment.bulk
        self.segments[segment.id] = segment
        self.processes[segment.process].segments.append(segment.id)

    def end(self, segment: int, time: int, status: int) -> None:
        """Record the end of a segment's process, if its beginning was observed."""
        if found := self.segments.get(segment):
            process = self.processes[found.process]
            process.ended, process.status = time, status
            self.living.discard(process.id)

    def close(self, segment: int) -> None:
        """Mark a segment as complete: all its calls have been read."""
        if found := self.segments.get(segment):
            before, found.closed = found.bulk, True
            self.bulk += found.bulk - before

    def drop(self, processes: Iterable[int]) -> None:
        """Remove processes and everything recorded of them.

        They must have ended, with all segments closed. `starts` and `socket_writers` keep their
        length: their readers remember a position.
        """
        segments = {
            segment for number in processes for segment in self.processes.pop(number).segments
        }
        self.dropped |= segments
        if len(self.dropped) > _MOST_DROPPED:  # numbers grow: late events are of the last ones
            self.dropped = set(sorted(self.dropped)[-_MOST_DROPPED // 2 :])
        self.session_callers -= segments
        suspensions = [
            suspension for suspension in self.suspensions if suspension.segment not in segments
        ]
        denials = [denial for denial in self.denials if denial.segment not in segments]
        less = len(self.suspensions) - len(suspensions) + len(self.denials) - len(denials)
        self.bulk -= less + sum(self.segments.pop(segment).bulk for segment in segments)
        self.suspensions, self.denials = suspensions, denials
