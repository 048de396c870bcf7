"""End a run that goes on for much longer than the first one: it is a server that works now."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence

from seclatch.recording.attribution.attribution import find_related
from seclatch.recording.trace.process_killer import ProcessKiller
from seclatch.recording.trace.trace import Trace

_PATIENCE = 10.0
"""Seconds for a container to end once its engine was asked; then its processes are killed."""


class RunLimit:
    """Ends a run after some seconds; `stop`: the engine's commands for that, in their order."""

    def __init__(self, seconds: float, stop: Sequence[Sequence[str]]) -> None:
        self._end = time.monotonic() + seconds
        self._stop = stop
        self._due: list[Sequence[str]] = []
        self._asked: subprocess.Popen[bytes] | None = None
        self._killer = ProcessKiller()
        self.exceeded = False
        self.interrupted = False

    def watch(self, trace: Trace) -> None:
        """Look at the clock; called often."""
        now = time.monotonic()
        if now < self._end:
            return
        if not self.exceeded:
            self.exceeded = True
            self._due = list(self._stop)
        self._ask()
        if not self._stop:
            self._kill(trace, contained=now < self._end + _PATIENCE)
        elif now > self._end + _PATIENCE:
            self._kill(trace, contained=False)

    def note_interrupt(self) -> None:
        """End this run, and note that the user wants no more."""
        self.interrupted = True
        self._end = min(self._end, time.monotonic())

    def clean(self) -> None:
        """Remove the container that an interrupted or endless run may have left."""
        if (self.exceeded or self.interrupted) and not self._due and not self._is_asking():
            self._due = list(self._stop)
        end = time.monotonic() + _PATIENCE
        while self._due or self._asked:
            self._ask()
            if self._asked and not _wait(self._asked, end):
                self._due = []
            self._asked = None
        self._killer.close()

    def _is_asking(self) -> bool:
        return self._asked is not None and self._asked.poll() is None

    def _ask(self) -> None:
        """Start the next command that is due, once the one before has ended."""
        if not self._due or self._is_asking():
            return
        null = subprocess.DEVNULL
        with contextlib.suppress(OSError):
            self._asked = subprocess.Popen(
                self._due.pop(0),
                stdin=null,
                stdout=null,
                stderr=null,
                preexec_fn=_unblock_signals,  # noqa: PLW1509 (there is one thread)
            )

    def _kill(self, trace: Trace, *, contained: bool) -> None:
        """Kill the run's processes; `contained`: those in a container, and its runtime cleans.

        The first process of a pid namespace takes all others there with it (pid_namespaces(7)).
        """
        own = _read_namespace(os.getpid())
        numbers = set(_list_started(trace))
        inside = {
            number for number in numbers if _read_namespace(trace.processes[number].pid) != own
        }
        self._killer.kill(trace, inside if contained and inside else numbers)


def _wait(asked: subprocess.Popen[bytes], end: float) -> bool:
    """Wait for an engine's client; kill it, and return False, if it goes on until then."""
    try:
        asked.wait(max(0.0, end - time.monotonic()))
    except subprocess.TimeoutExpired:
        asked.kill()
        asked.wait()
        return False
    return True


def _unblock_signals() -> None:
    """Let the engine's client be ended: it inherits the signals that are held back between runs."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _list_started(trace: Trace) -> Iterator[int]:
    for number in trace.living & find_related(trace):
        if not trace.processes[number].found_running:
            yield number


def _read_namespace(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")  # noqa: PTH115
    except OSError:
        return ""
