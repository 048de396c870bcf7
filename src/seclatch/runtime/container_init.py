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


def kill_init_without_handler(runtime: int, number: int) -> bool:
    """Kill the container's process 1 if a signal's default action is what would end it.

    `runtime` is the process that started it. One that handles, blocks or ignores the signal stays.
    """
    for pid in _descendants(runtime):
        with contextlib.suppress(OSError):
            fd = os.pidfd_open(pid)
            try:
                # Read after the open: what is killed is what was read, even if the pid is reused.
                if _is_init(_status(pid)) and not _is_minded(_status(pid), number):
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


def _status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def _is_init(status: dict[str, str]) -> bool:
    """Whether it is process 1 of a pid namespace below ours (NSpid: Linux 4.1)."""
    ids = status.get("NSpid", "").split()
    return len(ids) > len(_status(os.getpid()).get("NSpid", "").split()) and ids[-1] == "1"


def _is_minded(status: dict[str, str], number: int) -> bool:
    masks = (int(status.get(key, "0"), 16) for key in ("SigCgt", "SigIgn", "SigBlk"))
    return any(mask >> (number - 1) & 1 for mask in masks)
