"""Engines that run already: followed from the outside, for what a command makes them start.

A container that a client asks for is made by a daemon and its shim, which do not descend from the
client. So daemons and shims are followed too while they are recorded, and afterwards only what
belongs to the command is kept (`seclatch.recording.attribution.attribution`).
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from seclatch.recording.backends.bpf.abi import FIRST_OWN, WORD, Slot
from seclatch.recording.backends.bpf.adopt_processes import run_iterator
from seclatch.recording.backends.bpf.loader import Probe

NAMES = (
    "dockerd",
    "containerd",
    "crio",
    "containerd-shim-runc-v2",
    "containerd-shim-runc-v1",
    "containerd-shim",
)

_FOUND = 9  # EVENT_FOUND, EventKind.FOUND
_INITIAL_PIDS = 0xEFFFFFFC  # PROC_PID_INIT_INO, <linux/proc_ns.h>
# More than a process can have threads: the slot of a daemon is never given back.
_FOREVER = 1 << 30


class FollowedDaemon(NamedTuple):
    """An engine process: `number` is that of its segment and slot, `time` when it was found."""

    number: int
    pid: int
    uid: int
    time: int
    comm: str
    exe: str
    argv: tuple[str, ...]


def follow_daemons(probe: Probe) -> list[FollowedDaemon]:
    """Follow all engine processes of this host from now on; list them.

    The kernel programs know global ids only: from within a pid namespace none can be followed.
    Raises OSError, bpf.VerifierError.
    """
    found: list[FollowedDaemon] = []
    for pid in _find() if sees_host() else ():
        if len(found) == FIRST_OWN - 1:
            break
        with contextlib.suppress(OSError):  # it has ended meanwhile
            found.append(_prepare(probe, pid, len(found) + 1))
    if found:
        run_iterator(probe, "adopt_daemons")
    return found


def sees_host() -> bool:
    """Whether this process is in the initial pid namespace."""
    return os.stat("/proc/self/ns/pid").st_ino == _INITIAL_PIDS  # noqa: PTH116 (a magic link)


def _find() -> Iterator[int]:
    """Look through all processes: not by pathlib, which takes ten times as long as the kernel."""
    for name in os.listdir("/proc"):  # noqa: PTH208
        if name.isdecimal():
            with contextlib.suppress(OSError):  # ended, or a thread of the kernel's
                program = os.readlink(f"/proc/{name}/exe")  # noqa: PTH115
                if program.rpartition("/")[2] in NAMES:
                    yield int(name)


def _prepare(probe: Probe, pid: int, number: int) -> FollowedDaemon:
    """Make a process's segment; slot and segment both have this number.

    The iterator enters its threads; the thread that makes a later one enters that, if it was
    entered by then.
    """
    from seclatch.system import procfs

    slot = WORD.pack(number)
    header = bytearray(Slot.SIZE)
    WORD.pack_into(header, Slot.SEGMENT, number)
    WORD.pack_into(header, Slot.TGID, pid)
    WORD.pack_into(header, Slot.KIND, _FOUND)
    WORD.pack_into(header, Slot.TASKS, _FOREVER)
    probe.map("slots").set(slot, bytes(header))
    process = Path(f"/proc/{pid}")
    # Its real user: of one that may not be dumped the folder in /proc is root's (proc(5)).
    users = procfs.read_status_line(process.name, b"Uid")
    found = FollowedDaemon(
        number,
        pid,
        int(users.split()[0]) if users else -1,
        time.monotonic_ns(),
        (process / "comm").read_text(errors="replace").strip(),  # it may call itself anything
        str((process / "exe").readlink()),
        procfs.read_argv(pid)[0],
    )
    probe.map("daemons").set(WORD.pack(pid), slot)
    return found
