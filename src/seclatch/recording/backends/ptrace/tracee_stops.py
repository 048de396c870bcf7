"""Stops and ends of tracees, taken from among those of all children.

The recorder may be part of somebody's program (`seclatch.record`), whose other children are its own
to wait for: their status is looked at, and left where it is.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from threading import get_native_id

from seclatch.recording.backends.ptrace import stopped_thread
from seclatch.system import trace_requests

TraceeStatus = tuple[int, int]
"""A thread's id, and its status as wait(2) has it."""


def take_stops(known: Collection[int], more: Collection[int]) -> list[TraceeStatus]:
    """Take what is first in line if it is a tracee's, or a known thread's; else that of each of
    these. A tracee that is not known waits until the thread that made it has been heard of."""
    tid = trace_requests.peek()
    if not tid:
        return []
    if tid in known or tid in more or stopped_thread.read_tracer(tid) == get_native_id():
        return _take(tid)
    # Another child is first in line, perhaps for long: a zombie that nobody waits for.
    return [news for each in (*known, *more) for news in _take(each)]


def _take(tid: int) -> list[TraceeStatus]:
    """A thread's next stop or its end, if there is one."""
    try:
        found, status = os.waitpid(tid, os.WNOHANG | trace_requests.WALL)
    except ChildProcessError:
        return []
    return [(found, status)] if found else []
