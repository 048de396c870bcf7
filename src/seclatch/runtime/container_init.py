"""Give signals their default action in the first process of a container.

The kernel drops a signal to process 1 of a pid namespace if it has no handler for it
(pid_namespaces(7)), so that ctrl-C and SIGTERM would not end `sleep` there.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

from seclatch.system.procfs import find_status_line, read_status_file


def kill_init_without_handler(runtime: int, number: int) -> bool:
    """Kill the container's process 1 if only the signal's default action would end it.

    `runtime` is the process that started it. A process that handles, blocks or ignores the signal
    is not killed.
    """
    for pid in _descendants(runtime):
        with contextlib.suppress(OSError):
            fd = os.pidfd_open(pid)
            try:
                # Read after the open: the pid may be reused, but this process is the one killed.
                status = read_status_file(pid)
                if _is_init(status) and not _is_minded(status, number):
                    signal.pidfd_send_signal(fd, signal.SIGKILL)
                    return True
            finally:
                os.close(fd)
    return False


def _descendants(pid: int) -> Iterator[int]:
    waiting = [pid]
    while waiting:
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{waiting.pop()}/task").iterdir():
                children = [int(word) for word in (task / "children").read_text().split()]
                waiting += children
                yield from children


def _is_init(status: bytes) -> bool:
    """Return whether it is process 1 of a pid namespace below this one (NSpid: Linux 4.1)."""
    ids, own = _read_ids(status), _read_ids(read_status_file("self"))
    return len(ids) > len(own) and ids[-1] == b"1"


def _read_ids(status: bytes) -> list[bytes]:
    return (find_status_line(status, b"NSpid") or b"").split()


def _is_minded(status: bytes, number: int) -> bool:
    lines = (find_status_line(status, name) for name in (b"SigCgt", b"SigIgn", b"SigBlk"))
    return any(int(mask or b"0", 16) >> (number - 1) & 1 for mask in lines)
