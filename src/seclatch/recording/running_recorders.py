"""Find the recorders that run, and tell one that its program is ready."""

from __future__ import annotations

import os
import signal

from seclatch.errors import SeclatchError
from seclatch.recording.recorder import name_badge
from seclatch.system.procfs import list_links, list_pids


def list_recorders() -> list[int]:
    """List the recorders whose open files this user may see."""
    return [pid for pid in list_pids() if pid != os.getpid() and is_recorder(pid)]


def is_recorder(pid: int) -> bool:
    """Return whether a process holds a recorder's badge: SIGUSR2 ends any other."""
    return any(link.startswith(f"{name_badge(pid)} ") for link in list_links(pid))


def mark_recorder(pid: int) -> None:
    """Send SIGUSR2 to the process that has been looked at, and to no later one of its id.

    Raises SeclatchError.
    """
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError as error:
        raise _ended(pid) from error
    try:
        if not is_recorder(pid):
            raise _ended(pid)
        signal.pidfd_send_signal(process, signal.SIGUSR2)
    except ProcessLookupError as error:
        raise _ended(pid) from error
    finally:
        os.close(process)


def _ended(pid: int) -> SeclatchError:
    return SeclatchError(
        f"marking the recorder {pid}: it has ended, or is another user's",
        remedy="`seclatch record` runs as a process of its own: give its process id; sudo if it is "
        "root's",
    )
