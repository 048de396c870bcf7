"""What the next recorder must know of a container that is being recorded, in a file beside it.

A recorder that was killed, upgraded or cut off by the power's loss left its recordings on disk,
each whole as of its last save. The next one continues those whose container still runs: its oldest
process has the same pid and start, in the same mount namespace, since the same boot.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from seclatch.model.pod import PodContainer
from seclatch.model.recording.origin import ContainerImage
from seclatch.output.result_file import replace_file
from seclatch.recording.annotated.spool import STATE_PREFIX, STATE_SUFFIX
from seclatch.system import procfs

_MAX_STATE = 1 << 16


class ContainerIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """A process of the container; `start` is in clock ticks since boot (proc_pid_stat(5))."""

    mounts: int
    pid: int
    start: int
    boot: str


class RunningState(msgspec.Struct, frozen=True, kw_only=True):
    """One container that is being recorded; `started` is as in a recording.

    `identity` is not known before the container is entered; without it nothing is continued.
    """

    file: str
    name: str
    identifier: str
    started: str
    identity: ContainerIdentity | None = None
    pod: PodContainer | None = None
    image: ContainerImage | None = None


def read_boot() -> str:
    """Return the id of this boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def identify_container(mounts: int, pid: int) -> tuple[int, ContainerIdentity] | None:
    """Open a mount namespace by its inode number and find its oldest process; None if it has gone.

    `pid`: the process that is looked at first, as the kernel numbers it.
    """
    oldest: tuple[int, int] | None = None
    candidates = [pid] if _is_in(pid, mounts) else procfs.list_pids()
    for number in candidates:
        if _is_in(number, mounts):
            with contextlib.suppress(OSError, ValueError):
                found = procfs.read_start(number), number
                oldest = min(oldest or found, found)
    if oldest is None:
        return None
    identity = ContainerIdentity(mounts=mounts, pid=oldest[1], start=oldest[0], boot=read_boot())
    held = hold_container(identity)
    return None if held is None else (held, identity)


def hold_container(identity: ContainerIdentity) -> int | None:
    """Open the container's mount namespace, if its process is still that one."""
    with contextlib.suppress(OSError, ValueError):
        fd = os.open(f"/proc/{identity.pid}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
        same = (
            os.fstat(fd).st_ino == identity.mounts
            and procfs.read_start(identity.pid) == identity.start
            and read_boot() == identity.boot
        )
        if same:
            return fd
        os.close(fd)
    return None


def _is_in(pid: int, mounts: int) -> bool:
    with contextlib.suppress(OSError):  # it has ended, or is a kernel thread
        return os.stat(f"/proc/{pid}/ns/mnt").st_ino == mounts  # noqa: PTH116 (a magic link)
    return False


def write_state(directory: Path, state: RunningState) -> None:
    """Write a container's state, whole or not at all. Raises OSError.

    It is of this boot alone, so it need not survive a crash of the host.
    """
    replace_file(_state_path(directory, state.file), msgspec.json.encode(state))


def remove_state(directory: Path, file: str) -> None:
    """Remove the state of a container that is no longer recorded."""
    with contextlib.suppress(OSError):
        _state_path(directory, file).unlink(missing_ok=True)


def read_states(directory: Path) -> Iterator[RunningState]:
    """Yield the states that an earlier recorder left; remove those that cannot be read."""
    for path in sorted(directory.glob(f"{STATE_PREFIX}*{STATE_SUFFIX}")):
        try:
            with path.open("rb") as file:
                state = msgspec.json.decode(file.read(_MAX_STATE), type=RunningState)
            if path != _state_path(directory, state.file):
                raise ValueError("it is of another recording")
        except (OSError, ValueError):
            with contextlib.suppress(OSError):
                path.unlink()
            continue
        yield state


def _state_path(directory: Path, file: str) -> Path:
    return directory / f"{STATE_PREFIX}{Path(file).name}{STATE_SUFFIX}"
