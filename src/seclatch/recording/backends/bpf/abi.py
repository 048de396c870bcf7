"""What kernel programs and recorder share: maps' values, events, their sizes.

The C side is native/bpf/recorder.h; tests/unit/bpf/test_abi.py compares both.

Terms: a *segment* is one process in one state of affairs, with counters of its own. A process gets
a new one when it is forked, at each exec, and when a filter has been loaded; what stage that is, is
decided later (`seclatch.recording.trace.assign_stages`).
A *slot* is the memory with a segment's counters; it is used again once the segment has no task.
"""

from __future__ import annotations

import struct
from enum import IntFlag

NUMBERS = 512
"""Counters in a slot: system call numbers 0 to 511 of the native ABI. The rest is counted in the
`rare` map."""

SLOTS = 4096
OVERFLOW_SLOT = 0
"""Counts what came when no slot was free; nobody can say whose it was."""

RING_SIZE = 8 << 20


FIRST_OWN = 1024
"""Lower numbers of slots and segments are the recorder's, for processes that it finds running."""


class Slot:
    """Value of `slots`: a header, then the counters."""

    SEGMENT = 0
    PARENT = 4
    TGID = 8
    KIND = 12
    TASKS = 16
    BUDGET = 20  # how many writes to look into still, after a connect(2) to a Unix socket
    COUNTS = 32
    SIZE = COUNTS + 8 * NUMBERS


class Control:
    """`control`: numbers to give next, and what was lost."""

    NEXT_SEGMENT = 0
    LOST_EVENTS = 8
    LOST_SLOTS = 16
    LOST_RARE = 24
    LOST_ARGUMENTS = 32
    LOST_TASKS = 40
    NEXT_SLOT = 48
    ADOPTED = 56
    FORKING = 64
    SIZE = 72


CONTROL = struct.Struct("=9Q")


CONTAINER = struct.Struct("=II")
"""Value of `containers`: open, reapers."""

ADOPTION = struct.Struct("=II")
"""`adoption`: a process and the container that it is taken for."""

WORD_SIZE = 72
"""Key of `words`: a container's id, zero-padded."""


class Mode(IntFlag):
    """Bits of the `rare` key."""

    COMPAT = 1
    DENIED = 2
    INJECTED = 4  # made by the program's tracer, before its first instruction


RARE_KEY = struct.Struct("=IIIi")
"""segment, number, mode, errno (0 unless denied with one)."""

ARGUMENT_KEY = struct.Struct("=IHHQ")
"""segment, number, index, value."""

COUNT = struct.Struct("=Q")
DENIAL = struct.Struct("=IIi")


class Event:
    """Offsets in an event. All have the header; those that begin a segment have the facts."""

    KIND = 0
    TID = 4
    TIME = 8
    SEGMENT = 16
    PARENT = 20  # for FORK and EXEC the segment before; else of no meaning
    SLOT = 24
    TGID = 28
    CONTAINER = 32
    HEADER = 40

    FILTERS = 40
    SUSPENDED = 44
    UID = 48
    GID = 52
    EUID = 56
    EGID = 60
    MOUNTS = 64
    PIDS = 68
    USERS = 72
    LOCAL_PID = 76
    NET = 80
    IPC = 84
    UTS = 88
    CGROUP = 92
    SECCOMP = 96
    NO_NEW_PRIVS = 100
    ROOT = 104
    CAPABILITIES = 112  # inheritable, permitted, effective, bounding, ambient
    COMM = 152
    FACTS_END = 168

    ARGS_SIZE = 168
    ARGS_FIT = 172
    FILE = 176
    FILE_SIZE = 256
    ARGS = FILE + FILE_SIZE
    ARGS_MAX = 1024
    EXEC_SIZE = ARGS + ARGS_MAX

    SEEN_PID = FACTS_END  # MEMBER: its pid as the recorder sees it
    ALONE = FACTS_END + 4  # MEMBER: 1 when it was asked for by that pid
    FOUND_SIZE = FACTS_END + 8

    NUMBER = 40  # DENIAL
    MODE = 44
    ERRNO = 48
    DENIAL_SIZE = 56
    CODE = 40  # EXIT: as wait(2) has it
    EXIT_SIZE = 48
    SUSPENSION_SIZE = 48  # SUSPENDED in FILTERS' place: 1 now lifted, 0 now in force
    TEXT_LENGTH = 40
    TEXT = 48
    TEXT_SIZE = 512
    SAID_SIZE = TEXT + TEXT_SIZE


HEADER = struct.Struct("=IIQIIIII4x")
FACTS = struct.Struct("=16I6Q16s")
WORD = struct.Struct("=I")


DENIED_ARGUMENT = 0x100
"""Added to an argument's index: the call was denied."""


class Spec(IntFlag):
    """What to do with a call's arguments beside counting it: a byte by number in `specs`."""

    ARG0 = 1
    ARG1 = 2
    ARG2 = 4
    ARG3 = 8
    FLAGS_BEHIND_ARG0 = 16  # clone3(2): the flags are the first 8 bytes of a structure
    CONNECT = 32
    WRITE = 64


KEPT_ARGUMENTS = {
    "socket": Spec.ARG0 | Spec.ARG1 | Spec.ARG2,
    "socketpair": Spec.ARG0 | Spec.ARG1 | Spec.ARG2,
    "clone": Spec.ARG0,
    "clone3": Spec.FLAGS_BEHIND_ARG0,
    "unshare": Spec.ARG0,
    "setns": Spec.ARG1,
    "prctl": Spec.ARG0,
    "ioctl": Spec.ARG1,
    "personality": Spec.ARG0,
    "keyctl": Spec.ARG0,
    "bpf": Spec.ARG0,
    "ptrace": Spec.ARG0,
    "seccomp": Spec.ARG0 | Spec.ARG1,
    "fcntl": Spec.ARG1,
    "mmap": Spec.ARG2,
    "mprotect": Spec.ARG2,
    "pkey_mprotect": Spec.ARG2,
    "madvise": Spec.ARG2,
    "setsockopt": Spec.ARG1 | Spec.ARG2,
    "connect": Spec.CONNECT,
    "write": Spec.WRITE,
    "sendto": Spec.WRITE,  # send(2): clients that are libraries (Docker's for Python)
}
"""Whose arguments profiles are usefully narrowed by; which of them."""
