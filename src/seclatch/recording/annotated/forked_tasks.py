"""Work that may block, in forked children: writing recordings, asking engines.

The recorder serves many containers and must answer the latch at once. A child has a copy of what
it needs, its memory returns to the system with its end, and an engine that never answers costs one
child for some seconds. Children end with the recorder: a late one would replace a file that the
next recorder has continued.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from seclatch.system.parent_death import end_with_parent

_MAX_RESULT = 1 << 16


@dataclass(eq=False)
class ForkedTask:
    """`work` runs in the child and returns its result; `done` gets that, None after a failure."""

    work: Callable[[], bytes]
    done: Callable[[bytes | None], None]
    seconds: float = 30.0
    _pid: int = 0
    _pipe: int = -1
    _deadline: float = 0.0
    _result: bytes = b""

    def start(self) -> None:
        """Fork the child. Raises OSError (EAGAIN at a limit on processes)."""
        reading, writing = os.pipe()
        parent = os.getpid()
        try:
            self._pid = os.fork()
        except OSError:
            os.close(reading)
            os.close(writing)
            raise
        if self._pid == 0:
            _run_child(self.work, writing, parent)
        os.close(writing)
        os.set_blocking(reading, False)
        self._pipe, self._deadline = reading, time.monotonic() + self.seconds

    def poll(self) -> bool:
        """Return whether it has ended, and `done` was called; kill it when its time is over."""
        with contextlib.suppress(BlockingIOError):
            while part := os.read(self._pipe, 1 << 14):
                self._result = (self._result + part)[: _MAX_RESULT + 1]
        if time.monotonic() > self._deadline:
            os.kill(self._pid, signal.SIGKILL)
        ended, status = os.waitpid(self._pid, os.WNOHANG)
        if not ended:
            return False
        with contextlib.suppress(BlockingIOError):  # a grandchild may hold the pipe open
            self._result += os.read(self._pipe, _MAX_RESULT)
        os.close(self._pipe)
        good = status == 0 and len(self._result) <= _MAX_RESULT
        self.done(self._result if good else None)
        return True


def _run_child(work: Callable[[], bytes], pipe: int, parent: int) -> None:
    status = 1
    try:
        end_with_parent(parent)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # the parent decides: systemd signals all of them
        os.write(pipe, work()[:_MAX_RESULT])
        status = 0
    finally:
        os._exit(status)


@dataclass(eq=False)
class TaskQueue:
    """Tasks of which at most `limit` run at the same time."""

    limit: int
    _waiting: deque[ForkedTask] = field(default_factory=deque)
    _running: list[ForkedTask] = field(default_factory=list)

    def add(self, task: ForkedTask) -> None:
        """Have a task run when its turn comes."""
        self._waiting.append(task)

    def poll(self) -> None:
        """Take results, and start what may start."""
        self._running = [task for task in self._running if not task.poll()]
        while self._waiting and len(self._running) < self.limit:
            task = self._waiting[0]
            try:
                task.start()
            except OSError:
                return  # a limit on processes or descriptors: later
            self._waiting.popleft()
            self._running.append(task)

    def is_idle(self) -> bool:
        """Return whether nothing runs or waits."""
        return not self._running and not self._waiting
