"""What the kernel programs of native/bpf/watch.h and the watcher share."""

from __future__ import annotations

import struct
from enum import IntFlag

KEYS = 16384
VALUES = 3
DENIAL_RING = COPY_RING = 4 << 20
LAYERS = 16


class DenialMode(IntFlag):
    """Bits of the mode in a key."""

    COMPAT = 1
    UNSURE = 2


KEY = struct.Struct("=QIIIIiI24s")
"""`struct denied_key`: started, tgid, number, mode, answer, error, reserved, values."""

COUNT = struct.Struct("=QQQ")
"""`struct denied_count`: count, time of the last, epoch."""

EVENT = struct.Struct("=QQ6QQQQIIIIIIII16s64s256s")
"""`struct denial` after its key: time, pointer, six arguments, filter, cgroup, reaper, tid, uid,
pids, origin, outside, filters, length, reserved, comm, program, text."""

COPY = struct.Struct("=QIIQQ")
"""`struct filter_copy` without its code: started, tgid, length, filter, previous."""


class Watcher:
    """`struct watcher`."""

    EPOCH = 0
    UNCOUNTED = 8
    UNSENT = 16
    SIZE = 32
