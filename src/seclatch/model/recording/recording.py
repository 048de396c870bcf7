"""A recording: the content of its file. The field names are the file's.

Every number that a reader may want to sum stands once, in `calls` and `denials`. Times are seconds
since the recording began. Unknown values are null or empty.

See docs/decisions/0020 (metadata of a recording).
"""

from __future__ import annotations

from typing import Any

import msgspec

from seclatch.model.pod import PodContainer
from seclatch.model.recording.executed_programs import ExecutedProgram
from seclatch.model.recording.origin import ContainerImage, Software
from seclatch.model.recording.process_context import ContextChange, ProcessContext
from seclatch.model.recording.recorded_bounds import RecordedBound

SCHEMA = 1
"""Version of the format; it changes when a field changes its meaning or is removed."""


class RecordedHost(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """The host of the recording. `arch` is libseccomp's short name."""

    kernel: str
    arch: str


class RecordedContainer(msgspec.Struct, frozen=True, kw_only=True):
    """One container that was entered.

    `runtime` is the program as it was exec'd; `name` the id that it was given, empty when only exec
    sessions were seen. `profile` is `linux.seccomp` of its bundle, null without one or where it
    could not be read. `pod` has its names in Kubernetes, null for one outside of pods.
    """

    id: int
    name: str = ""
    runtime: str = ""
    mount_namespace: int = 0
    pid_namespace: int = 0
    user_namespace: int = 0
    image: ContainerImage | None = None
    profile: dict[str, Any] | None = None
    pod: PodContainer | None = None

    @property
    def title(self) -> str:
        """Return NAMESPACE/POD/CONTAINER in a pod, else the id; "" if it is not known."""
        return str(self.pod) if self.pod else self.name


class RecordedSession(msgspec.Struct, frozen=True, kw_only=True):
    """A container's start, or (`joined`) a further process in a running container.

    `count`: so many sessions are counted in the processes of this one, the first of them: they
    executed the same programs, like a probe that is repeated.
    """

    id: int
    container: int
    joined: bool
    process: int
    count: int = 1


class ProcessImage(msgspec.Struct, frozen=True, kw_only=True):
    """A program that a process executed, from an exec on.

    `argv` may be cut off after 1024 bytes.
    """

    time: float
    stage: str
    exe: str
    argv: list[str]
    argv_cut: bool = False
    uid: int = 0
    gid: int = 0


class RecordedProcess(msgspec.Struct, frozen=True, kw_only=True):
    """One process. `pid` is the host's; `status` is as in wait(2)."""

    id: int
    pid: int
    parent: int | None
    session: int | None
    began: float
    ended: float | None
    status: int | None
    found_running: bool
    images: list[ProcessImage]
    contexts: list[ContextChange] = []


class RecordedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event.

    `fork`, `exec`, `filter` (loaded; there are `filters` then), `exit`, `lifted` (a tracer suspends
    seccomp) and `released` (it is in force again); in a container that was running already `found`
    and, for a process from outside, `joined`; `denial`: the first of a `call` (its name, or number
    after #) with an `errno` (0: none) since the process's last exec or filter.
    """

    time: float
    kind: str
    process: int
    thread: int
    stage: str
    filters: int = 0
    call: str = ""
    errno: int = 0


class ReadyMark(msgspec.Struct, frozen=True, kw_only=True):
    """The moment from which the program was ready: the running phase begins, the start is over.

    `condition` is what was waited for (`listen:6379`), or `mark`: by hand.
    """

    time: float
    condition: str


class RecordedCalls(msgspec.Struct, frozen=True, kw_only=True):
    """How often a process made a call in a stage. `name` is empty for a number without one.

    In a merged recording `process` is null: the count is over all processes of the stage, and
    `runs` is the number of recordings that have any. `running`: how many of them were made after
    the recording's `ready` mark, or were not over by then.
    """

    process: int | None
    stage: str
    arch: str
    number: int
    name: str
    count: int
    runs: int = 1
    running: int = 0


class RecordedDenial(msgspec.Struct, frozen=True, kw_only=True):
    """How often seccomp denied a call: with `errno`, or by other means (0).

    `process`, `runs` and `running` are as in RecordedCalls.
    """

    process: int | None
    stage: str
    arch: str
    number: int
    name: str
    errno: int
    count: int
    runs: int = 1
    running: int = 0


class RecordedArgument(msgspec.Struct, frozen=True, kw_only=True):
    """A value of an argument (`index` from 0), over all processes of a stage.

    For clone3, argument 0 stands for the flags in its structure. `running` is as in RecordedCalls.
    """

    stage: str
    arch: str
    name: str
    index: int
    value: int
    count: int
    running: int = 0


class RoleCalls(msgspec.Struct, frozen=True, kw_only=True):
    """How often a role made a call; `name` is as in RecordedCalls."""

    arch: str
    number: int
    name: str
    count: int


class RoleArgument(msgspec.Struct, frozen=True, kw_only=True):
    """A value of an argument of a role's calls; see RecordedArgument."""

    arch: str
    name: str
    index: int
    value: int
    count: int


class RecordedRole(msgspec.Struct, frozen=True, kw_only=True):
    """What a filter that is put on the processes of a role must allow, once they have started.

    `name`: PROGRAM:main, or PROGRAM:worker for a process whose parent runs the same program.
    `processes`: so many had the role. The calls of a worker count once it has run for a second; to
    the calls of each role those of the processes that it creates are added, which inherit filters.
    """

    name: str
    processes: int
    calls: list[RoleCalls]
    arguments: list[RoleArgument] = []


class DeniedArgument(msgspec.Struct, frozen=True, kw_only=True):
    """A value of an argument of denied calls; `process` is as in RecordedDenial."""

    process: int | None
    stage: str
    arch: str
    name: str
    index: int
    value: int
    count: int


class LostCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What could not be recorded.

    `calls` were made but are in no count, or their process is unknown.
    """

    events: int = 0
    processes: int = 0
    calls: int = 0
    arguments: int = 0


class RecordingGap(msgspec.Struct, frozen=True, kw_only=True):
    """A time in which nothing was recorded: the recorder had ended, and was started again.

    Processes that ran before and after it are two in `processes`, the later one `found_running`.
    """

    began: float
    ended: float


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """The whole recording. `complete` is false in a file that a running recorder wrote.

    A merged recording sums up `runs` others: it has their commands and hosts, the first one's
    `started` and the longest one's `duration`, and no processes, events, sessions, containers: what
    those tell is in `executed`, the programs that containers executed, and `bounds`, what
    containers were held to; both are empty in others. It has a `ready` mark, with the time of the
    latest, if each of the others has one.
    `runtimes` are the base names of the runtimes that entered containers; `images` and `software`
    are those that took part, each once; `contexts` the distinct states that processes refer to;
    `container_names` the names that containers have in their pods; `roles` the program's
    processes by role, empty in a recording without a mark; `gaps` are none in a merged one.
    """

    schema: int = SCHEMA
    seclatch: str
    complete: bool
    runs: int = 1
    commands: list[list[str]]
    started: str
    duration: float
    hosts: list[RecordedHost]
    runtimes: list[str]
    containers: list[RecordedContainer]
    sessions: list[RecordedSession]
    processes: list[RecordedProcess]
    events: list[RecordedEvent]
    calls: list[RecordedCalls]
    denials: list[RecordedDenial]
    arguments: list[RecordedArgument]
    lost: LostCounts = LostCounts()
    contexts: list[ProcessContext] = []
    images: list[ContainerImage] = []
    software: list[Software] = []
    executed: list[ExecutedProgram] = []
    bounds: list[RecordedBound] = []
    denied_arguments: list[DeniedArgument] = []
    ready: ReadyMark | None = None
    container_names: list[str] = []
    roles: list[RecordedRole] = []
    gaps: list[RecordingGap] = []


def list_container_names(containers: list[RecordedContainer]) -> list[str]:
    """Return the names that containers have in their pods, each once."""
    return sorted({each.pod.container for each in containers if each.pod and each.pod.container})
