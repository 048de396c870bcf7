"""What a closer look sees: single calls with their arguments, and each segment's last ones.

`Sights` reads what the programs of native/bpf/detail.h leave. Bounded: the kernel sends few
events of a kind for each segment, and here too there is an end.
"""

from __future__ import annotations

import errno
import mmap
import os
import struct
from collections import deque
from dataclasses import dataclass, field
from enum import IntEnum, IntFlag

from seclatch.model.arch import Arch
from seclatch.model.syscall import load_syscalls
from seclatch.recording.backends.bpf import abi
from seclatch.recording.backends.bpf.abi import WORD

FLIGHT = 64
"""The last calls kept of each segment; a power of two."""

EACH, REFUSALS, IN_FILTERED = 32, 64, 512
"""Events of a segment at most: of one call failing with one errno, of one call refused with one
result, of all calls of a process that has just loaded a filter."""

ERRNOS = 134
MAX_TEXT = 512
PIECE, PIECES = 48, 10
MAX_SIGHTS = 100_000
MAX_SAID = 32
RING_SIZE = 4 << 20


class What(IntEnum):
    """Kinds of sights."""

    REFUSED = 1
    FAILED = 2
    CALL = 3
    SAID = 4
    SAID_IN_PIECES = 5


class Mark(IntFlag):
    """What is true of the task at that moment.

    A 32-bit call, seccomp is killing it, it has SIGSYS pending (SECCOMP_RET_TRAP), seccomp answered
    the call (in flights only).
    """

    COMPAT = 1
    KILLED = 4
    SIGSYS = 8
    REFUSED = 2 << 16


class Sight:
    """Offsets in an event."""

    WHAT = 0
    TID = 4
    TIME = 8
    SEGMENT = 16
    MODE = 20
    NUMBER = 24
    LENGTH = 28
    RESULT = 32
    ARGS = 40
    TEXT = 88
    SIZE = TEXT + MAX_TEXT


HEADER = struct.Struct("=IIQIIIIq6Q")


class Flight:
    """Offsets in the value of the `flights` map, and within each of its entries."""

    NEXT = 0
    FIRST = 8
    TIME = 0
    NUMBER = 8
    MODE = 12
    RESULT = 16
    ENTRY = 24
    SIZE = FIRST + ENTRY * FLIGHT


_ENTRY = struct.Struct("=QIIq")

# Failures that happen all the time and stop nobody.
_IDLE = {
    errno.EAGAIN,
    errno.EINTR,
    errno.ECHILD,
    errno.ETIMEDOUT,
    errno.EINPROGRESS,
    errno.ENOTTY,
    errno.ERANGE,
    errno.EALREADY,
}

# Which argument is a path, counted from 1.
_PATHS = {
    1: "access acct chdir chmod chown chroot creat execve lchown link lstat mkdir mknod open "
    "pivot_root readlink rename rmdir stat statfs swapon symlink truncate umount2 unlink "
    "getxattr setxattr lgetxattr lsetxattr uselib utime",
    2: "mount openat openat2 mkdirat mknodat fchownat futimesat newfstatat unlinkat renameat "
    "linkat readlinkat fchmodat fchmodat2 faccessat faccessat2 utimensat execveat "
    "name_to_handle_at statx open_tree move_mount mount_setattr fspick",
}


def constants() -> dict[str, bytes]:
    """Values of the constants in native/bpf/detail.h."""
    return {"path_arguments": make_path_arguments(), "reported_errnos": _reported_errnos()}


def make_path_arguments() -> bytes:
    """Return by call number which argument is a path, from 1."""
    numbers = load_syscalls(Arch.native()).numbers
    content = bytearray(abi.NUMBERS)
    for index, names in _PATHS.items():
        for name in names.split():
            if name in numbers:
                content[numbers[name]] = index
    return bytes(content)


def _reported_errnos() -> bytes:
    """By errno whether a failure with it is worth an event."""
    return bytes(0 < number < ERRNOS and number not in _IDLE for number in range(ERRNOS))


@dataclass(frozen=True, slots=True)
class Seen:
    """One call.

    `result` as the kernel returned it (of a refused one that was trapped or killed it means
    nothing), `text` the path that it was about, as far as it could be read.
    """

    what: What
    time: int
    tid: int
    segment: int
    mode: Mark
    number: int
    result: int
    args: tuple[int, ...]
    text: str = ""

    @property
    def compat(self) -> bool:
        """Whether it was made through the 32-bit ABI."""
        return bool(self.mode & Mark.COMPAT)

    @property
    def errno(self) -> int:
        """The error that the caller got, 0 for none."""
        return -self.result if -4096 < self.result < 0 else 0


@dataclass(frozen=True, slots=True)
class Last:
    """An entry of a flight."""

    time: int
    number: int
    mode: Mark
    result: int

    @property
    def refused(self) -> bool:
        """Whether seccomp answered it."""
        return bool(self.mode & Mark.REFUSED)


@dataclass(slots=True)
class Sights:
    """All that was seen: calls in order of time, messages and flights by segment."""

    calls: list[Seen] = field(default_factory=list)
    said: dict[int, deque[tuple[int, str]]] = field(default_factory=dict)
    flown: dict[int, bytes] = field(default_factory=dict)
    lost: int = 0

    def add(self, event: bytes) -> None:
        """Take one event."""
        what, tid, time, segment, mode, number, length, result, *args = HEADER.unpack_from(event)
        if what >= What.SAID:
            self._say(event, What(what), segment, time, length)
        elif len(self.calls) < MAX_SIGHTS:
            text = _text(event[Sight.TEXT : Sight.TEXT + max(0, min(length, MAX_TEXT) - 1)])
            seen = Seen(
                What(what), time, tid, segment, Mark(mode), number, result, tuple(args), text
            )
            self.calls.append(seen)
        else:
            self.lost += 1

    def _say(self, event: bytes, what: What, segment: int, time: int, length: int) -> None:
        if what is What.SAID:
            content = event[Sight.TEXT : Sight.TEXT + min(length, MAX_TEXT)]
        else:
            places = range(Sight.TEXT, Sight.TEXT + PIECE * PIECES, PIECE)
            content = b"".join(event[at : at + PIECE].rstrip(b"\0") for at in places)
        lines = self.said.setdefault(segment, deque(maxlen=MAX_SAID))
        lines.append((time, _text(content)))

    def fly(self, segment: int, content: bytes) -> None:
        """Keep a segment's flight as it is: there may be many, and few are looked at."""
        count = WORD.unpack_from(content, Flight.NEXT)[0]
        if count:
            self.flown[segment] = content[: Flight.FIRST + Flight.ENTRY * min(count, FLIGHT)]

    def flight(self, segment: int) -> list[Last]:
        """Answer a segment's last calls, oldest first."""
        content = self.flown.get(segment, bytes(Flight.FIRST))
        count = WORD.unpack_from(content, Flight.NEXT)[0]
        found = []
        for position in range(max(0, count - FLIGHT), count):
            at = Flight.FIRST + Flight.ENTRY * (position % FLIGHT)
            time, number, mode, result = _ENTRY.unpack_from(content, at)
            found.append(Last(time, number, Mark(mode), result))
        return found


class Flights:
    """The memory with the flights, by slot."""

    def __init__(self, memory: mmap.mmap, sights: Sights) -> None:
        self._memory = memory
        self._sights = sights

    @staticmethod
    def size() -> int:
        """Bytes of the whole map, as it is mapped."""
        page = os.sysconf("SC_PAGE_SIZE")
        return (Flight.SIZE * abi.SLOTS + page - 1) // page * page

    def close(self, segment: int, slot: int) -> None:
        """Take the flight of a segment that has ended, and clear it for the next."""
        begin = slot * Flight.SIZE
        self._sights.fly(segment, self._memory[begin : begin + Flight.SIZE])
        self._memory[begin : begin + Flight.FIRST] = bytes(Flight.FIRST)


def _text(content: bytes) -> str:
    return content.decode("utf-8", "backslashreplace")
