"""Read executable and argv from /proc for processes that started before the recording."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from seclatch.recording.trace.event_kinds import EventKind
from seclatch.recording.trace.trace import Segment
from seclatch.system import procfs

MAX_ARGV = 1024
"""Bytes of argv that are kept, as for an exec (Event.ARGS_MAX)."""

_MEMFD = "/memfd:"


def read_running_image(segment: Segment, pid: int, alone: int) -> None:
    """Read the program of a MEMBER segment; `pid` as this process sees it.

    A process that was adopted alone is in no container yet: it becomes FOUND. One that still runs
    the runtime's program is the init of a container that waits for its start: it becomes JOINED.
    """
    if alone:
        segment.kind = EventKind.FOUND
    process = Path(f"/proc/{pid}")
    with contextlib.suppress(OSError):  # the process has ended
        segment.file = str((process / "exe").readlink())
        segment.argv, segment.argv_cut = procfs.read_argv(pid, MAX_ARGV)
        status = procfs.read_status(pid)
        segment.parent_pid = status.parent if status else 0
        if segment.kind is EventKind.MEMBER and is_runtime(process, segment):
            segment.kind = EventKind.JOINED


def is_runtime(process: Path, segment: Segment) -> bool:
    """Return whether a process in a container runs a program from outside of it.

    The file of such a program is on no mount of the container: runc runs a sealed copy of itself,
    crun a file on a detached mount, others a file of the host. A program that copied itself into
    memory has none either, but only runc's is called `runc init`. Raises OSError.
    """
    if segment.file.startswith(_MEMFD) and segment.argv[1:] != ("init",):
        return False
    fd = os.open(process / "exe", os.O_PATH | os.O_CLOEXEC)
    try:
        information = Path(f"/proc/self/fdinfo/{fd}").read_text()
    finally:
        os.close(fd)
    mount = information.partition("mnt_id:")[2].split()[:1]
    with (process / "mountinfo").open(errors="replace") as mounts:
        return not any(line.split(maxsplit=1)[:1] == mount for line in mounts)
