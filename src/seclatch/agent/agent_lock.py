"""One agent at a time changes a host: a lock on a file of the host's own /run."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator

from seclatch.agent.engine_probe import make_folder
from seclatch.engines.installation.host_root import HostRoot
from seclatch.errors import SeclatchError

_SECONDS = 10.0


@contextlib.contextmanager
def hold_agent_lock(root: HostRoot, seconds: float = _SECONDS) -> Iterator[None]:
    """Hold the lock; the kernel lets go of it when the process ends, however it does."""
    path = make_folder(root) / "node.lock"
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SeclatchError(f"locking {path}: {error.strerror}") from error
    try:
        _take(fd, str(path), time.monotonic() + seconds)
        yield
    finally:
        os.close(fd)


def _take(fd: int, path: str, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise SeclatchError(
                    f"locking {path}: another `seclatch node` is changing this host",
                    remedy=f"fuser -v {path} shows it; one DaemonSet or service is enough",
                ) from None
            time.sleep(0.1)
        else:
            return
