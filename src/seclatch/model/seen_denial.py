"""A denial as a source sees it, before it is known which container and rule it belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from seclatch.model.arch import Arch


class SeenAnswer(IntEnum):
    """What seccomp did, as far as it is seen. RETURNED: ERRNO, TRACE or USER_NOTIF."""

    RETURNED = 1
    TRAP = 2
    KILL = 3
    LOG = 4
    ERRNO = 5
    TRACE = 6
    NOTIFY = 7
    KILL_THREAD = 8
    KILL_PROCESS = 9


@dataclass(frozen=True, slots=True)
class SeenProcess:
    """One process: its pid, and its start in nanoseconds since boot (0: not known)."""

    pid: int
    started: int = 0


@dataclass(frozen=True, slots=True)
class CallDetails:
    """What is seen of one call beside its number.

    `pids` is the inode number of its pid namespace and `reaper` the start of that one's first
    process; `origin` is the number, in it, of the oldest ancestor there; `outside` is the
    process above that one. `layers` are the filters of the thread, newest first, empty where they
    are not known; `text` is the path that the call is about.
    """

    tid: int
    uid: int
    comm: str
    program: str = ""
    args: tuple[int, ...] | None = None
    pointer: int = 0
    text: str = ""
    pids: int = 0
    reaper: int = 0
    origin: int = 0
    outside: int = 0
    layers: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class SeenDenial:
    """Equal denials of one process: `count` of them, from `first` to `last`.

    Times are in nanoseconds since the epoch. `error` is the errno that the caller got. `unsure`:
    perhaps the kernel's own failure, the filter decides. `details` are those of the first one.
    """

    process: SeenProcess
    arch: Arch
    number: int
    answer: SeenAnswer
    error: int
    count: int
    first: int
    last: int
    source: str
    details: CallDetails | None = None
    unsure: bool = False
