"""Runs a command, or waits for what it leaves behind, while the kernel programs record it."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from seclatch.errors import SeclatchError
from seclatch.model.recording import Recording
from seclatch.record import loader
from seclatch.record.attribution import attribute, find_kept
from seclatch.record.daemons import follow_daemons
from seclatch.record.harvest import Harvest
from seclatch.record.layout import WORD, Task
from seclatch.record.loader import Probe
from seclatch.record.summary import Run, summarise
from seclatch.record.trace import Trace

_INTERVAL = 0.02
_PATIENCE = 2.0
_STOP = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
_HELD = _STOP | {signal.SIGCHLD}


@dataclass(frozen=True, slots=True)
class Options:
    """`seconds`: record no longer than that. `observe` gets what there is so far, every `every`
    seconds and not at the end. `tell` gets what the user should know meanwhile."""

    seconds: float | None = None
    observe: Callable[[Recording], None] = lambda _: None
    every: float = 5.0
    tell: Callable[[str], None] = lambda _: None


def record(command: tuple[str, ...], options: Options) -> tuple[int, Recording]:
    """Run the command; answer its exit status (128+N for signal N) and the recording.

    The recording ends with the last process that comes from the command; when it is told to
    (SIGINT, SIGTERM, SIGHUP) after the command has ended; or after `seconds`, and then the command
    goes on unrecorded. Raises SeclatchError.
    """
    program = _find(command[0])
    with loader.load() as probe:
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, _HELD)
        try:
            return _Recorder(probe, command, options).run(program, mask)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _find(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        there = os.path.exists(name)  # noqa: PTH110 (a word, perhaps not a path)
        raise SeclatchError(
            f"cannot run {name}: {'not executable' if there else 'not found'}",
            status=126 if there else 127,
        )
    return found


class _Recorder:
    def __init__(self, probe: Probe, command: tuple[str, ...], options: Options) -> None:
        self._probe = probe
        self._command = command
        self._options = options
        self._trace = Trace()
        self._harvest = Harvest(probe.maps, self._trace)
        self._started = datetime.now(UTC)
        self._began = time.monotonic_ns()
        self._status: int | None = None
        self._daemons = 0
        self._stopped = False
        self._waited = 0
        self._explained = False

    def run(self, program: str, mask: set[signal.Signals] | set[int]) -> tuple[int, Recording]:
        """Start the command, follow it to the end, sum up."""
        self._daemons = follow_daemons(self._probe.maps, self._harvest)
        pid = self._start(program, mask)
        next_look = time.monotonic() + self._options.every
        while not self._done():
            self._wait(pid)
            self._explain_waiting()
            self._harvest.collect()
            if time.monotonic() >= next_look:
                self._harvest.catch_up()
                self._options.observe(self._sum_up(complete=False))
                next_look = time.monotonic() + self._options.every
        ended = time.monotonic_ns()
        self._probe.detach()
        self._harvest.finish()
        recording = self._sum_up(complete=True, ended=ended)
        while self._status is None:
            self._wait(pid)
        return self._status, recording

    def _sum_up(self, *, complete: bool, ended: int | None = None) -> Recording:
        end = ended or time.monotonic_ns()
        run = Run(self._command, self._started, self._began, end, complete)
        return summarise(attribute(self._trace), run)

    def _start(self, program: str, mask: set[signal.Signals] | set[int]) -> int:
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            self._become(program, mask, writing)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            failure = pipe.read(8)
        if failure:
            os.waitpid(pid, 0)
            number = int(failure)
            raise SeclatchError(
                f"cannot run {program}: {os.strerror(number)}",
                status=127 if number == errno.ENOENT else 126,
            )
        return pid

    def _become(self, program: str, mask: set[signal.Signals] | set[int], pipe: int) -> None:
        """In the child: be followed, be the command. Does not return."""
        try:
            # What Python itself has set at its start.
            for number in (signal.SIGPIPE, signal.SIGXFSZ):
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            self._probe.register_self()
            os.execv(program, self._command)  # noqa: S606 (the user's command)
        except OSError as error:
            os.write(pipe, b"%d" % (error.errno or errno.EIO))
        finally:
            os._exit(127)

    def _done(self) -> bool:
        if self._stopped:
            return True
        limit = self._options.seconds
        if limit is not None and time.monotonic_ns() - self._began >= limit * 1e9:
            return True
        return self._status is not None and not self._goes_on()

    def _explain_waiting(self) -> None:
        """Say why nothing seems to happen any more."""
        if self._status is None or self._explained:
            return
        self._waited += 1
        if self._waited * _INTERVAL > _PATIENCE:
            self._explained = True
            self._options.tell(
                "the command has ended, what it started goes on and is recorded; ctrl-C ends this"
            )

    def _goes_on(self) -> bool:
        """Whether a process of the command lives. Ends may be lost; the map of tasks is not."""
        living = self._trace.living
        if self._daemons:
            daemons = {each for each in living if self._trace.processes[each].found_running}
            living = (living & find_kept(self._trace)) - daemons
        if not living:
            return False
        segments = self._trace.segments
        for _, entry in self._probe.maps.tasks.items():
            found = segments.get(WORD.unpack_from(entry, Task.SEGMENT)[0])
            if found is None or found.process in living:
                return True
        return False

    def _wait(self, pid: int) -> None:
        """Wait a moment, less if something happens; pass on a request to stop."""
        info = signal.sigtimedwait(_HELD, _INTERVAL)
        if self._status is None:
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                code = os.waitstatus_to_exitcode(status)
                self._status = code if code >= 0 else 128 - code
        if info is None or info.si_signo == signal.SIGCHLD:
            return
        if self._status is not None:
            self._stopped = True
        elif info.si_pid:  # not from the terminal, which tells the command itself
            os.kill(pid, info.si_signo)
