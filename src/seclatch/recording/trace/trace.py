"""What was seen, as values: processes, their segments, and what was counted in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from seclatch.recording.trace.event_kinds import EventKind

ENTRY_VERBS = frozenset({"create", "run", "exec"})
"""What a runtime is told to do when a process enters a container (OCI command line)."""

PROCESS_BEGINNINGS = frozenset(
    {EventKind.ROOT, EventKind.FORK, EventKind.FOUND, EventKind.MEMBER, EventKind.JOINED}
)
"""Kinds of segments with which a process begins, as far as it is known."""

UNIT = 64
"""So many words of a command line, or different calls, count in a trace's bulk as one segment."""

CallKey = tuple[bool, int]
"""(whether through the 32-bit ABI, number)."""

DenialKey = tuple[bool, int, int]
"""(32-bit, number, errno or 0)."""

ArgumentKey = tuple[int, int, int]
"""(number, index, value)."""


@dataclass(frozen=True, slots=True)
class TaskFacts:
    """A task's state at the beginning of a segment. Namespaces are inode numbers; `root` tells
    equal root directories apart from others and means nothing else. `capabilities`: inheritable,
    permitted, effective, bounding, ambient; empty where nothing is known."""

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


@dataclass(slots=True)
class Segment:
    """One process from `time` (ns of CLOCK_MONOTONIC) on, until its next segment; or one thread
    of it, when that alone has loaded a filter. `injected`: calls that its tracer made in its place,
    before its program's first instruction; `closed`: nothing is counted in it any more."""

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
    said: list[bytes] = field(default_factory=list)
    closed: bool = False

    @property
    def bulk(self) -> int:
        """How much it is, see Trace; its calls count once they are all there."""
        calls = len(self.calls) // UNIT if self.closed else 0
        return 1 + len(self.argv) // UNIT + len(self.said) + calls


@dataclass(slots=True)
class TracedProcess:
    """One life of a process id: `pid` as the initial namespace has it."""

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
    """Seccomp was lifted from a task by its tracer, or put back in force."""

    time: int
    segment: int
    tid: int
    lifted: bool


@dataclass(frozen=True, slots=True)
class FirstDenial:
    """When a segment's first denial of a call with an errno was."""

    time: int
    segment: int
    tid: int
    call: CallKey
    errno: int


@dataclass(frozen=True, slots=True)
class LostCounts:
    """What the kernel could not hold; all zero in a whole recording."""

    events: int = 0
    processes: int = 0
    calls: int = 0
    arguments: int = 0

    @property
    def anything(self) -> bool:
        """Whether the recording is less than what happened (arguments apart)."""
        return bool(self.events or self.processes or self.calls)


@dataclass(slots=True)
class Trace:
    """All that was seen so far. `starts`: segments whose program may be a runtime at its work;
    `callers`: those that were noticed outside of the watched container by its id; `named`: ids of
    the containers that the command names. `bulk`: how much all this is, in segments and what takes
    as much memory (1 to 4 kB). `speakers`: segments that have said something to a Unix socket;
    `links`: pairs of processes that were connected by one, both ways round. `dropped`: segments of
    processes that are no longer in here; `begun`: how many processes there have been."""

    processes: dict[int, TracedProcess] = field(default_factory=dict)
    segments: dict[int, Segment] = field(default_factory=dict)
    suspensions: list[SeccompSuspension] = field(default_factory=list)
    stray: Counter[CallKey] = field(default_factory=Counter)
    stray_rare: Counter[CallKey] = field(default_factory=Counter)
    living: set[int] = field(default_factory=set)
    starts: list[int] = field(default_factory=list)
    denials: list[FirstDenial] = field(default_factory=list)
    lost: LostCounts = LostCounts()
    callers: set[int] = field(default_factory=set)
    named: tuple[str, ...] = ()
    bulk: int = 0
    speakers: list[int] = field(default_factory=list)
    links: set[tuple[int, int]] = field(default_factory=set)
    dropped: set[int] = field(default_factory=set)
    begun: int = 0

    def begin(self, segment: Segment, pid: int) -> None:
        """Add a segment; one that was forked, or whose past is not known, begins a process."""
        if segment.parent in self.dropped:  # its beginning came late: whose it is, is known
            self.dropped.add(segment.id)
            return
        before = self.segments.get(segment.parent)
        if segment.kind in PROCESS_BEGINNINGS or before is None:
            segment.process = self.begun
            self.begun += 1
            parent = before.process if before else None
            # Of one that was seen to join, no program is known yet.
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
        """Note the end of a segment's process, if its beginning was seen."""
        if found := self.segments.get(segment):
            process = self.processes[found.process]
            process.ended, process.status = time, status
            self.living.discard(process.id)

    def close(self, segment: int) -> None:
        """Note that a segment's calls are all there."""
        if found := self.segments.get(segment):
            before, found.closed = found.bulk, True
            self.bulk += found.bulk - before

    def drop(self, processes: Iterable[int]) -> None:
        """Take processes out, with all that they did: they have ended, and their segments are
        closed. `starts` and `speakers` keep their length: who reads them counts."""
        segments = {each for number in processes for each in self.processes.pop(number).segments}
        self.dropped |= segments
        suspensions = [each for each in self.suspensions if each.segment not in segments]
        denials = [each for each in self.denials if each.segment not in segments]
        less = len(self.suspensions) - len(suspensions) + len(self.denials) - len(denials)
        self.bulk -= less + sum(self.segments.pop(each).bulk for each in segments)
        self.suspensions, self.denials = suspensions, denials
