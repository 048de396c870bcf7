"""A process that is no child of the caller, which so has none to wait for."""

from __future__ import annotations

import os
from collections.abc import Callable


def run_detached(work: Callable[[], object]) -> None:
    """Run `work` in a grandchild: init, or the nearest subreaper, waits for its end.

    Raises OSError where no process can be made.
    """
    if child := os.fork():
        if os.waitpid(child, 0)[1]:
            raise OSError("a process could not be forked")
        return
    status = 1
    try:
        if not os.fork():
            work()
        status = 0
    finally:
        os._exit(status)
