"""What a closer look sees: single calls with their arguments, and each segment's last ones.

`Sights` reads what the programs of native/bpf/detail.h leave. Bounded: the kernel sends few
events of a kind for each segment, and here too there is an end.
"""

from __future__ import annotations

import errno
import mmap
import os
import struct
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


class DetailFlag(IntFlag):
    """What is true of the task at that moment.

    A 32-bit call, seccomp is killing it, it has SIGSYS pending (SECCOMP_RET_TRAP), the event has a
    second path, seccomp answered the call (in flights only).
    """

    COMPAT = 1
    KILLED = 4
    SIGSYS = 8
    TWO_PATHS = 16
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


class Output:
    """Offsets in the value of the `output_logs` map, and within each of its entries."""

    WRITES = 4
    FIRST = 8
    TEXT = 16
    TEXT_SIZE = 256
    ENTRY = TEXT + TEXT_SIZE
    SIZE = FIRST + ENTRY * WRITES


class Failure:
    """Offsets in the value of the `failure_logs` map, and within each of its entries."""

    CALLS = 4
    FIRST = 8
    PATH = 80
    PATH_SIZE = 176
    ENTRY = PATH + PATH_SIZE
    SIZE = FIRST + ENTRY * CALLS


_ENTRY = struct.Struct("=QIIq")
_FAILURE = struct.Struct("=QIIq6Q")
_OUTPUT = struct.Struct("=QI")

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
    "getxattr setxattr lgetxattr lsetxattr uselib utime symlinkat",
    2: "mount openat openat2 mkdirat mknodat fchownat futimesat newfstatat unlinkat renameat "
    "linkat readlinkat fchmodat fchmodat2 faccessat faccessat2 utimensat execveat "
    "name_to_handle_at statx open_tree move_mount mount_setattr fspick renameat2",
}
# Which argument of a call with two paths is the other one: where a link or a new name goes.
_SECOND_PATHS = {
    2: "link symlink rename pivot_root",
    3: "symlinkat",
    4: "linkat renameat renameat2 move_mount",
}


def constants() -> dict[str, bytes]:
    """Values of the constants in native/bpf/detail.h."""
    return {
        "path_arguments": make_path_arguments(),
        "second_path_arguments": _number_arguments(_SECOND_PATHS),
        "reported_errnos": _reported_errnos(),
    }


def make_path_arguments() -> bytes:
    """Return by call number which argument is a path, from 1."""
    return _number_arguments(_PATHS)


def _number_arguments(calls: dict[int, str]) -> bytes:
    """Return by call number which argument is meant, from 1; 0 for none."""
    numbers = load_syscalls(Arch.native()).numbers
    content = bytearray(abi.NUMBERS)
    for index, names in calls.items():
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
    nothing), `text` the path that it was about, as far as it could be read, `second` the other path
    of a call with two.
    """

    what: What
    time: int
    tid: int
    segment: int
    mode: DetailFlag
    number: int
    result: int
    args: tuple[int, ...]
    text: str = ""
    second: str = ""

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths that it was about: both of a call that makes a link or a new name."""
        return tuple(path for path in (self.text, self.second) if path)

    @property
    def compat(self) -> bool:
        """Whether it was made through the 32-bit ABI."""
        return bool(self.mode & DetailFlag.COMPAT)

    @property
    def errno(self) -> int:
        """The error that the caller got, 0 for none."""
        return -self.result if -4096 < self.result < 0 else 0


@dataclass(frozen=True, slots=True)
class Last:
    """An entry of a flight."""

    time: int
    number: int
    mode: DetailFlag
    result: int

    @property
    def refused(self) -> bool:
        """Whether seccomp answered it."""
        return bool(self.mode & DetailFlag.REFUSED)


@dataclass(slots=True)
class Sights:
    """All that was seen: calls in order of time; by segment messages, flights and last output."""

    calls: list[Seen] = field(default_factory=list)
    said: dict[int, list[tuple[int, str]]] = field(default_factory=dict)
    flown: dict[int, bytes] = field(default_factory=dict)
    printed: dict[int, list[tuple[int, str]]] = field(default_factory=dict)
    last_failures: list[Seen] = field(default_factory=list)
    lost: int = 0

    def add(self, event: bytes) -> None:
        """Take one event."""
        what, tid, time, segment, mode, number, length, result, *args = HEADER.unpack_from(event)
        if what >= What.SAID:
            lines = self.said.setdefault(segment, [])
            lines.append((time, _written_text(event, What(what), length, result)))
            if len(lines) > MAX_SAID:  # the first ones say why, and the last ones how it ended
                del lines[MAX_SAID // 2]
        elif len(self.calls) < MAX_SIGHTS:
            text = _text(event[Sight.TEXT : Sight.TEXT + max(0, min(length, MAX_TEXT) - 1)])
            second = _second_path(event) if mode & DetailFlag.TWO_PATHS else ""
            kind, marks = What(what), DetailFlag(mode & ~DetailFlag.TWO_PATHS)
            seen = Seen(kind, time, tid, segment, marks, number, result, tuple(args), text, second)
            self.calls.append(seen)
        else:
            self.lost += 1

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
            found.append(Last(time, number, DetailFlag(mode), result))
        return found


class Failures:
    """The memory with the last failed calls about files, by slot."""

    def __init__(self, memory: mmap.mmap, sights: Sights) -> None:
        self._memory = memory
        self._sights = sights

    @staticmethod
    def size() -> int:
        """Bytes of the whole map, as it is mapped."""
        return _whole_pages(Failure.SIZE * abi.SLOTS)

    def close(self, segment: int, slot: int) -> None:
        """Take the last failures of a segment that has ended, and clear them for the next."""
        begin = slot * Failure.SIZE
        count = WORD.unpack_from(self._memory, begin)[0]
        if not count:
            return
        for position in range(max(0, count - Failure.CALLS), count):
            at = begin + Failure.FIRST + Failure.ENTRY * (position % Failure.CALLS)
            time, number, length, result, *args = _FAILURE.unpack_from(self._memory, at)
            path = self._memory[at + Failure.PATH : at + Failure.PATH + max(0, length - 1)]
            seen = Seen(
                *(What.FAILED, time, 0, segment, DetailFlag(0), number, result, tuple(args)),
                text=_text(path[: Failure.PATH_SIZE]),
            )
            self._sights.last_failures.append(seen)
        self._memory[begin : begin + Failure.FIRST] = bytes(Failure.FIRST)


class Outputs:
    """The memory with the last writes to standard output, by slot."""

    def __init__(self, memory: mmap.mmap, sights: Sights) -> None:
        self._memory = memory
        self._sights = sights

    @staticmethod
    def size() -> int:
        """Bytes of the whole map, as it is mapped."""
        return _whole_pages(Output.SIZE * abi.SLOTS)

    def close(self, segment: int, slot: int) -> None:
        """Take what a segment that has ended wrote, and clear it for the next."""
        begin = slot * Output.SIZE
        count = WORD.unpack_from(self._memory, begin)[0]
        if not count:
            return
        found = []
        for position in range(max(0, count - Output.WRITES), count):
            at = begin + Output.FIRST + Output.ENTRY * (position % Output.WRITES)
            time, length = _OUTPUT.unpack_from(self._memory, at)
            text = self._memory[at + Output.TEXT : at + Output.TEXT + min(length, Output.TEXT_SIZE)]
            found.append((time, _text(text)))
        self._sights.printed[segment] = found
        self._memory[begin : begin + Output.FIRST] = bytes(Output.FIRST)


class Flights:
    """The memory with the flights, by slot."""

    def __init__(self, memory: mmap.mmap, sights: Sights) -> None:
        self._memory = memory
        self._sights = sights

    @staticmethod
    def size() -> int:
        """Bytes of the whole map, as it is mapped."""
        return _whole_pages(Flight.SIZE * abi.SLOTS)

    def close(self, segment: int, slot: int) -> None:
        """Take the flight of a segment that has ended, and clear it for the next."""
        begin = slot * Flight.SIZE
        self._sights.fly(segment, self._memory[begin : begin + Flight.SIZE])
        self._memory[begin : begin + Flight.FIRST] = bytes(Flight.FIRST)


def _text(content: bytes) -> str:
    return content.decode("utf-8", "backslashreplace")


def _written_text(event: bytes, what: What, length: int, written: int) -> str:
    """Return what was written; of a long message the beginning, and the end as another line."""
    if what is What.SAID_IN_PIECES:
        return _text(event[Sight.TEXT : Sight.TEXT + min(length, MAX_TEXT)])
    content, half = event[Sight.TEXT : Sight.TEXT + min(length, MAX_TEXT)], MAX_TEXT // 2
    return _text(content if written <= MAX_TEXT else content[:half] + b"\n" + content[half:])


def _second_path(event: bytes) -> str:
    return _text(event[Sight.TEXT + MAX_TEXT // 2 : Sight.SIZE].partition(b"\0")[0])


def _whole_pages(size: int) -> int:
    page = os.sysconf("SC_PAGE_SIZE")
    return (size + page - 1) // page * page
