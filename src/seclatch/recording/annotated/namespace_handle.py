"""A namespace told by its number must be held open: the kernel gives the number of one that has
gone to the next that is made, and that may be another container's at once."""

from __future__ import annotations

import contextlib
import os


def hold_mount_namespace(number: int) -> int | None:
    """Answer a descriptor of the mount namespace of that number, if a process that we see is in it.

    It need not be the one that was meant, if that has ended by now.
    """
    for name in os.listdir("/proc"):  # noqa: PTH208 (pathlib takes ten times as long)
        if name.isdecimal():
            path = f"/proc/{name}/ns/mnt"
            with contextlib.suppress(OSError):  # ended, or a thread of the kernel's
                if os.stat(path).st_ino == number:  # noqa: PTH116
                    return _hold(path, number)
    return None


def _hold(path: str, number: int) -> int | None:
    held = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    if os.fstat(held).st_ino == number:
        return held
    os.close(held)
    return None
