"""Find out whether this user may trace processes, and if not, why."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterable
from pathlib import Path

from seclatch.errors import SeclatchError
from seclatch.output.printable_text import make_printable
from seclatch.system.procfs import ENDED, read_start, read_status

# ioctl_ns(2)
_GET_OWNER_UID = 0xB704
_YAMA = Path("/proc/sys/kernel/yama/ptrace_scope")
_SHOWN = 4
_PATIENCE, _EVERY = 0.3, 0.02


def require_traceable(pids: Iterable[int]) -> None:
    """Raise SeclatchError unless all may be traced. None of them is stopped.

    Opening /proc/PID/mem asks the same of the kernel as PTRACE_SEIZE (PTRACE_MODE_ATTACH, Yama
    included). The user that owns a user namespace has all capabilities over it
    (user_namespaces(7)), so that of a rootless container need not be entered.
    """
    refused = _list_refused(pids)
    if not refused:
        return
    reasons = "; ".join(_explain(pid) for pid in refused[:_SHOWN])
    more = f"; and {len(refused) - _SHOWN} more" if len(refused) > _SHOWN else ""
    raise SeclatchError(
        "without CAP_SYS_ADMIN on the host a filter can only be put on processes that one may "
        f"trace (ptrace(2)): {reasons}{more}; nothing was touched",
        remedy=_suggest(),
    )


def _list_refused(pids: Iterable[int]) -> list[int]:
    """List what may not be traced, but for a moment while it ends or executes a program."""
    refused = [pid for pid in pids if not _may_trace(pid)]
    until = time.monotonic() + _PATIENCE
    while refused and time.monotonic() < until:
        time.sleep(_EVERY)
        refused = [pid for pid in refused if not _may_trace(pid)]
    return refused


def _may_trace(pid: int) -> bool:
    try:
        os.close(os.open(f"/proc/{pid}/mem", os.O_RDONLY | os.O_CLOEXEC))
    except PermissionError:
        return False
    except OSError:
        return True  # it has ended
    return True


def _explain(pid: int) -> str:
    status = read_status(pid)
    if status is None or read_start(pid) == ENDED:
        return f"process {pid} has ended"
    name = f"process {pid} ({make_printable(status.comm)})"
    owner = _read_owner(pid)
    if owner is not None and owner != os.geteuid():
        return f"{name} is in a user namespace of user {owner}"
    if status.uid != os.geteuid():
        return f"{name} is user {status.uid}'s"
    return f"{name} may not be traced by this user"


def _read_owner(pid: int) -> int | None:
    """Return the user that made the user namespace of a process; None for this command's own."""
    with contextlib.suppress(OSError):
        fd = os.open(f"/proc/{pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
        try:
            if os.fstat(fd).st_ino == os.stat("/proc/self/ns/user").st_ino:  # noqa: PTH116 (magic)
                return None
            owner = bytearray(4)
            fcntl.ioctl(fd, _GET_OWNER_UID, owner)
            return int.from_bytes(owner, "little")
        finally:
            os.close(fd)
    return None


def _suggest() -> str:
    """Name Yama's limit where there is one."""
    with contextlib.suppress(OSError, ValueError):
        scope = int(_YAMA.read_text(encoding="ascii"))
        if scope == 3:
            return "kernel.yama.ptrace_scope is 3, which forbids tracing until the next boot"
        if scope:
            return (
                "run it as root on the host, or as the user whose containers they are "
                f"(kernel.yama.ptrace_scope is {scope}: outside of a user namespace of one's own "
                "only descendants may be traced)"
            )
    return "run it as root on the host, or as the user whose containers they are"
