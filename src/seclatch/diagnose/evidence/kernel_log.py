"""Find in the kernel's log which process it killed for want of memory."""

from __future__ import annotations

import os
import re

_KILLED = re.compile(r"(Memory cgroup out of memory|Out of memory): Killed process (\d+)")
_MAX_RECORD = 8192
_MAX_RECORDS = 100_000


def find_memory_kill(pid: int, since: int) -> str:
    """Return how the kernel's log says that a process was killed for memory; "" if it does not.

    `since`: a time of CLOCK_MONOTONIC in nanoseconds. Pids are those of the kernel's own namespace.
    """
    try:
        fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return _search(fd, pid, since // 1000)
    finally:
        os.close(fd)


def _search(fd: int, pid: int, since: int) -> str:
    for _ in range(_MAX_RECORDS):
        try:
            record = os.read(fd, _MAX_RECORD).decode("utf-8", "replace")
        except BlockingIOError:
            return ""
        except BrokenPipeError:  # records were overwritten meanwhile: it goes on with the next
            continue
        except OSError:
            return ""
        head, _, text = record.partition(";")
        stamp = head.split(",")[2:3]
        match = _KILLED.search(text)
        if match and int(match[2]) == pid and stamp and int(stamp[0]) >= since:
            return match[1]
    return ""
