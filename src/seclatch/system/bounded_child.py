"""Run work that may not terminate in a child process, with limits on its time and memory."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from seclatch.errors import SeclatchError

SECONDS = 10
MEMORY = 1 << 30

_RAISED = 3  # the child's exit status when the work raised


class OutOfBoundsError(Exception):
    """The work exceeded its time or memory, or crashed. `signal` is the one that ended it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.signal = number


def run_bounded(work: Callable[[], bytes]) -> bytes:
    """Call `work` in a forked child and return its bytes.

    Limits: SECONDS of CPU time, and MEMORY bytes more than this process has. Raises
    OutOfBoundsError; RuntimeError with the text of an exception that `work` raises; SeclatchError
    where no process can be made.
    """
    read, write = os.pipe()
    try:
        pid = os.fork()
    except OSError as error:
        os.close(read)
        os.close(write)
        raise SeclatchError(
            f"making a process to compile the profile in: {error.strerror}",
            remedy="raise the limit on processes (ulimit -u, pids.max, TasksMax) or end some",
        ) from error
    if pid == 0:
        _be_child(work, write)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        result = pipe.read()
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        raise OutOfBoundsError(os.WTERMSIG(status))
    if status == _RAISED << 8:
        raise RuntimeError(result.decode(errors="replace"))
    if status:
        raise OutOfBoundsError(signal.SIGABRT)
    return result


def _be_child(work: Callable[[], bytes], write: int) -> NoReturn:
    status = 1
    try:
        signal.signal(signal.SIGXCPU, signal.SIG_DFL)  # Python ignores it
        _limit()
        status, result = _attempt(work)
        with os.fdopen(write, "wb") as pipe:
            pipe.write(result)
    finally:
        os._exit(status)


def _attempt(work: Callable[[], bytes]) -> tuple[int, bytes]:
    try:
        return 0, work()
    except MemoryError:
        raise
    except Exception as error:
        return _RAISED, f"{type(error).__name__}: {error}".encode(errors="backslashreplace")


def _limit() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    size = pages * resource.getpagesize() + MEMORY
    for what, limit in ((resource.RLIMIT_CPU, SECONDS), (resource.RLIMIT_AS, size)):
        _, hard = resource.getrlimit(what)
        soft = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(what, (soft, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
