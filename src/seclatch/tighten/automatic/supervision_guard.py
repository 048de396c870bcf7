"""A second process that starts the supervisor of a container again if that is killed.

Each of the two watches the other by a pidfd, which tells of any end: SIGKILL, or the kernel out of
memory. What the supervisor has reached is in memory that both share, so that its successor goes on
there. See docs/decisions/0136-tightening-by-annotation.md.
"""

from __future__ import annotations

import contextlib
import enum
import gc
import mmap
import os
import select
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from seclatch.tighten.group_mounts import list_group_mounts

MAX_RESTARTS = 3
"""So often a supervisor is started again; then what its end means is done at once."""
_PHASE, _RESTARTS = 0, 1
_BEGAN = slice(8, 16)  # a double
_SCORE = Path("/proc/self/oom_score_adj")
_PROTECTED = "-1000"


class Phase(enum.IntEnum):
    """What a supervisor has reached."""

    WAITING = 0
    READY = 1
    FAILED = 2
    DONE = 3


class SupervisionGuard:
    """Runs `work` in this process, and again in another one whenever that is killed.

    `give_up` is called where that has happened too often; `notify` gets a sentence each time.
    `report`: a descriptor of the first supervisor's alone, whose end says that it was killed.
    """

    def __init__(
        self,
        work: Callable[[SupervisionGuard], int],
        give_up: Callable[[], None],
        notify: Callable[[str], None],
        report: int = -1,
    ) -> None:
        self._work, self._give_up, self._notify = work, give_up, notify
        self._report = report
        self._progress = mmap.mmap(-1, _BEGAN.stop)  # MAP_SHARED: it survives fork(2)
        self._guard, self._handle = 0, -1
        self._score = ""

    @property
    def began_waiting(self) -> float:
        """When this supervisor, or one before it, asked for this first: by the monotonic clock."""
        if not any(self._progress[_BEGAN]):
            self._progress[_BEGAN] = struct.pack("d", time.monotonic())
        began: float = struct.unpack("d", self._progress[_BEGAN])[0]
        return began

    @property
    def phase(self) -> Phase:
        """What this supervisor, or one before it, has reached."""
        return Phase(self._progress[_PHASE])

    @phase.setter
    def phase(self, reached: Phase) -> None:
        self._progress[_PHASE] = reached

    def begin(self) -> None:
        """Start the guard; the caller supervises. Raises OSError."""
        gc.collect()
        gc.freeze()  # what is not touched stays shared memory
        own = os.pidfd_open(os.getpid())
        pid = os.fork()
        if pid == 0:
            self._be_guard(own)
        self._report = -1
        os.close(own)
        self._guard, self._handle = pid, os.pidfd_open(pid)

    def renew(self) -> None:
        """Start another guard if that was killed."""
        if self._handle < 0 or not select.select([self._handle], [], [], 0)[0]:
            return
        with contextlib.suppress(ChildProcessError):  # it is the parent of a successor
            os.waitpid(self._guard, os.WNOHANG)
        os.close(self._handle)
        self._handle = -1
        self._notify("its guard was killed; another one takes its place")
        with contextlib.suppress(OSError):  # at the next look again
            self.begin()

    def rest(self, seconds: float) -> None:
        """Sleep, at most until the guard is killed; another one takes its place at once then."""
        if self._handle < 0:
            time.sleep(seconds)
        elif select.select([self._handle], [], [], seconds)[0]:
            self.renew()

    def _be_guard(self, supervisor: int) -> NoReturn:
        status = 0
        try:
            if self._report >= 0:
                os.close(self._report)
            self._report = -1
            self._score = _read_score()
            _protect_itself()
            while not self._has_concluded(supervisor):
                if self._progress[_RESTARTS] >= MAX_RESTARTS:
                    self._give_up()
                    break
                self._progress[_RESTARTS] += 1
                self._notify("its supervisor was killed; another one takes its place")
                supervisor = self._restart()
        except BaseException as error:
            status = 1
            self._notify(f"its guard failed: {error or type(error).__name__}")
        os._exit(status)

    def _has_concluded(self, supervisor: int) -> bool:
        """Wait for the end of a supervisor; return whether it ended by itself."""
        select.select([supervisor], [], [])
        os.close(supervisor)
        with contextlib.suppress(ChildProcessError):  # the first one is no child
            os.waitpid(-1, os.WNOHANG)
        return self.phase is Phase.DONE

    def _restart(self) -> int:
        """Return a handle of a supervisor that goes on where the one before it was."""
        own = os.pidfd_open(os.getpid())
        guard, pid = os.getpid(), os.fork()
        if pid:
            os.close(own)
            return os.pidfd_open(pid)
        self._guard, self._handle = guard, own
        status = 1
        try:
            with contextlib.suppress(OSError):  # the guard's protection is its own
                _SCORE.write_text(self._score, encoding="ascii")
            status = self._work(self)
        finally:
            os._exit(status)


def _read_score() -> str:
    with contextlib.suppress(OSError):
        return _SCORE.read_text(encoding="ascii").strip()
    return "0"


def _protect_itself() -> None:
    """Be no victim of the kernel's need of memory, nor of the end of an engine's control group.

    A service that is stopped with KillMode=control-group, and a login session, end all that was
    started in them. The root of the hierarchy is no unit's.
    """
    with contextlib.suppress(OSError):
        _SCORE.write_text(_PROTECTED, encoding="ascii")
    for mount in _list_unit_hierarchies():
        with contextlib.suppress(OSError):
            (mount / "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")


def _list_unit_hierarchies(mounts: str = "/proc/self/mountinfo") -> list[Path]:
    """Return where control groups are mounted by which systemd ends processes: their roots.

    A mount of a group within, as in a container's directory, is no place to leave a unit for.
    """
    found: dict[str, Path] = {}
    for mount in list_group_mounts(mounts):
        is_units = mount.kind == "cgroup2" or "name=systemd" in mount.options.split(",")
        if is_units and mount.root == "/":
            found.setdefault(mount.hierarchy, mount.folder)
    return list(found.values())
