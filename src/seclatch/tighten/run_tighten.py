"""Call seclatch-tighten and read what it reports (native/tighten/main.c)."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seclatch.errors import SeclatchError
from seclatch.runtime.find_latch import find_latch
from seclatch.system.procfs import list_threads, read_start
from seclatch.tighten.further_filter import FurtherFilter

MISSED = "missed"
"""The reason of a process that was created while the others were bound."""
_UNTOUCHED = 3


@dataclass(frozen=True, slots=True)
class ProcessOutcome:
    """What became of one process.

    `state`: ready (dry run), bound, present (the filter was there already), ended or unbound, for
    the `reason`. `pause` in microseconds: the longest time that one of its threads was stopped.
    `threads` were there, `loads` of them loaded for themselves: one, unless their filters differed.
    """

    pid: int
    start: int
    state: str
    reason: str
    errno: int
    threads: int
    loads: int
    disturbance: str
    no_new_privs: bool
    short_count: bool
    pause: int


def make_outcome(pid: int, state: str, reason: str) -> ProcessOutcome:
    """Describe a process that no binding was tried on."""
    return ProcessOutcome(
        pid=pid,
        start=read_start(pid),
        state=state,
        reason=reason,
        errno=0,
        threads=len(list_threads(pid)),
        loads=0,
        disturbance="runs",
        no_new_privs=False,
        short_count=False,
        pause=0,
    )


@dataclass(frozen=True, slots=True)
class TightenOutcome:
    """All processes. `touched`: bindings were tried; `settled`: no new process appears any more.

    `loaded`: when a filter was loaded last, or later, in clock ticks since boot.
    """

    processes: tuple[ProcessOutcome, ...]
    touched: bool
    settled: bool
    loaded: int = 0

    @property
    def complete(self) -> bool:
        """Return whether all processes are bound."""
        return self.settled and all(each.state != "unbound" for each in self.processes)

    @property
    def can_stay(self) -> bool:
        """Return whether all are bound but those created meanwhile, which --stay binds."""
        unbound = [each for each in self.processes if each.state == "unbound"]
        return self.settled and all(each.reason == MISSED for each in unbound)


@dataclass(frozen=True, slots=True)
class TightenOptions:
    """`wait`: seconds for processes that cannot be stopped.

    `program`: seclatch-tighten, if it is not that of this installation. `unsuspended`: words for
    it where present filters stay in force.
    """

    wait: float = 10.0
    no_new_privs: str = "auto"
    dry_run: bool = False
    program: Path | None = None
    unsuspended: tuple[str, ...] = ()


def run_tighten(
    selector: Sequence[str], further: FurtherFilter, options: TightenOptions
) -> TightenOutcome:
    """Bind the selected processes. Raises SeclatchError if the program itself fails."""
    fd = os.memfd_create("seclatch-filter", 0)
    try:
        os.write(fd, further.code)
        os.lseek(fd, 0, os.SEEK_SET)
        words = [str(options.program or find_latch("tighten")), "--fd", str(fd)]
        words += ["--flags", str(further.flags), "--wait", str(int(options.wait * 1000))]
        words += ["--no-new-privs", options.no_new_privs]
        words += ["--dry-run"] if options.dry_run else []
        words += options.unsuspended
        # In a session of its own: a Ctrl-C for this command must not end a tracer at its work.
        done = subprocess.run(
            [*words, *selector],
            pass_fds=(fd,),
            capture_output=True,
            stdin=subprocess.DEVNULL,
            check=False,
            start_new_session=True,
        )
    finally:
        os.close(fd)
    return _read_outcome(done)


def _read_outcome(done: subprocess.CompletedProcess[bytes]) -> TightenOutcome:
    lines = done.stdout.decode("ascii", "replace").splitlines()
    processes = tuple(_read_process(line) for line in lines if line.startswith("process "))
    end = next((line for line in lines if line.startswith("end ")), "")
    if not end and done.returncode >= 0:
        message = done.stderr.decode("utf-8", "replace").strip()
        raise SeclatchError(f"seclatch-tighten failed: {message or done.returncode}")
    if not end:
        # Killed: what it reported is true, and the rest is unknown.
        return TightenOutcome(processes, touched=True, settled=False, loaded=count_ticks())
    fields = dict(word.split("=", 1) for word in end.split()[1:])
    settled, loaded = fields["settled"] == "1", int(fields.get("loaded", "0"))
    return TightenOutcome(processes, done.returncode != _UNTOUCHED, settled, loaded)


def count_ticks() -> int:
    """Return the time since boot in clock ticks, as start times of processes are."""
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK"))


def _read_process(line: str) -> ProcessOutcome:
    _, pid, *words = line.split()
    fields = dict(word.split("=", 1) for word in words)
    return ProcessOutcome(
        pid=int(pid),
        start=int(fields["start"]),
        state=fields["state"],
        reason=fields["reason"].strip("-"),
        errno=int(fields["errno"]),
        threads=int(fields["threads"]),
        loads=int(fields["loads"]),
        disturbance=fields["disturbance"],
        no_new_privs=fields["no-new-privs"] == "1",
        short_count=fields["short"] == "1",
        pause=int(fields["pause"]),
    )
