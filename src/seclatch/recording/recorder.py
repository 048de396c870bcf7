"""The recorder at work: takes what the kernel programs leave, until its subject is over."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from seclatch.recording.backends.backend import RecordingBackend
from seclatch.recording.trace.trace import Trace

if TYPE_CHECKING:
    from seclatch.model.recording import Recording
    from seclatch.recording.backends.bpf.detail_events import Sights
    from seclatch.recording.trace.run_metadata import RunMetadata

STOP_SIGNALS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
BLOCKED_SIGNALS = STOP_SIGNALS | {signal.SIGCHLD, signal.SIGUSR1}
"""Signals that are to be blocked while a recorder works: it takes them itself."""

_SHARE = 10
"""Of a long recording most time would go into summing up what there is so far, again and again."""

MAX_BULK = 1_000_000
"""Half a million processes that exec once; some 5 GB of memory."""


@dataclass(frozen=True, slots=True)
class RecordOptions:
    """`seconds`: record no longer than that. `observe` gets what there is so far, every `every`
    seconds, `save` the same after `save_first`, then every `save_every`, and when SIGUSR1 asks for
    it; neither at the end.
    `most`: end when so much has been seen (Trace.bulk); `lost` says so then. `tell` gets what the
    user should know meanwhile. `backend`: ebpf, ptrace, or auto for ptrace only where
    eBPF is not to be had.

    `sights`, if given, is filled with a closer look (eBPF only), and `watch` gets the trace after
    each look at it, every `interval` seconds. `insist`: what a first request to stop does not end,
    the second one kills. `ask`: ask engines what the images of containers are."""

    seconds: float | None = None
    observe: Callable[[Recording], None] | None = None
    every: float = 0.25
    save: Callable[[Recording], None] | None = None
    save_first: float = 5.0
    save_every: float = 5.0
    most: int = MAX_BULK
    tell: Callable[[str], None] = lambda _: None
    backend: str = "auto"
    sights: Sights | None = None
    watch: Callable[[Trace], None] = lambda _: None
    interval: float = 0.02
    insist: bool = False
    ask: bool = True


class RecordingSource(Protocol):
    """What is followed."""

    def begin(self, backend: RecordingBackend) -> None:
        """Have it followed from now on. Raises SeclatchError."""

    def look(self, trace: Trace, options: RecordOptions) -> None:
        """Called between two looks at the kernel's memory."""

    def living(self, trace: Trace) -> set[int]:
        """The processes whose end is the recording's; none as soon as it may end at once."""

    def waits(self, backend: RecordingBackend) -> bool:
        """Whether the recording goes on without any living process."""

    def take(self, signal_: int, sender: int) -> bool:
        """Take a request to stop; answer whether the recording is to end. `sender` 0: terminal."""

    def belonging(self, trace: Trace) -> Trace:
        """What of the trace belongs to it."""

    def run(self, started: datetime, began: int, ended: int, complete: bool) -> RunMetadata:
        """What is known about it."""


class TraceRecorder:
    """Follows one subject by a back end. HELD must be blocked."""

    def __init__(
        self, backend: RecordingBackend, subject: RecordingSource, options: RecordOptions
    ) -> None:
        self._backend = backend
        self._subject = subject
        self._options = options
        self._trace = backend.trace
        self._started = datetime.now(UTC)
        self._began = time.monotonic_ns()
        self._stopped = False
        self._asked = False
        self._next_check = 0.0
        self._next_look = time.monotonic() + options.every
        self._next_save = time.monotonic() + options.save_first

    def record(self) -> Recording:
        """Follow the subject to its end, detach, sum up."""
        self._subject.begin(self._backend)
        # Not before: who is recorded need not wait for it.

        while not self._done():
            self._wait()
            self._backend.collect()
            self._subject.look(self._trace, self._options)
            self._options.watch(self._trace)
            self._show()
        ended = time.monotonic_ns()
        self._backend.detach()
        self._backend.finish()
        self._subject.look(self._trace, self._options)
        self._options.watch(self._trace)
        if self._is_full():
            self._lose_the_rest()
        return self._sum_up(ended, complete=True)

    def _is_full(self) -> bool:
        return self._trace.bulk >= self._options.most

    def _lose_the_rest(self) -> None:
        """What the living did from here on is not known: an end by this limit is a loss. What has
        ended by itself meanwhile is whole."""
        lost = self._trace.lost
        left = len(self._subject.living(self._trace))
        if not left:
            return
        self._trace.lost = replace(lost, processes=lost.processes + left)
        self._options.tell(
            f"the recording ends at {self._options.most:,} processes and execs, and what it is of "
            "goes on"
        )

    def _show(self) -> None:
        """Hand out what there is so far to those whose time has come."""
        now, options = time.monotonic(), self._options
        saves = options.save is not None and (self._asked or now >= self._next_save)
        observes = options.observe is not None and now >= self._next_look
        if not saves and not observes:
            return
        self._backend.catch_up()
        recording = self._sum_up(time.monotonic_ns(), complete=False)
        if options.observe and observes:
            options.observe(recording)
        if options.save and saves:
            options.save(recording)
            self._asked = False
        ended = time.monotonic()
        pause = _SHARE * (ended - now)
        if observes:
            self._next_look = ended + max(options.every, pause)
        if saves:
            self._next_save = ended + max(options.save_every, pause)

    def _sum_up(self, ended: int, *, complete: bool) -> Recording:
        from seclatch.recording.trace.summarize_trace import summarize_trace

        run = self._subject.run(self._started, self._began, ended, complete)
        return summarize_trace(self._subject.belonging(self._trace), run)

    def _done(self) -> bool:
        if self._stopped:
            return True
        limit = self._options.seconds
        if limit is not None and time.monotonic_ns() - self._began >= limit * 1e9:
            return True
        if self._is_full():
            return True
        began = time.monotonic()
        if self._subject.waits(self._backend) or began < self._next_check:
            return False
        self._backend.collect()  # what was done until it stopped to wait
        goes_on = self._goes_on()
        ended = time.monotonic()
        self._next_check = ended + _SHARE * (ended - began)
        return not goes_on

    def _goes_on(self) -> bool:
        """Whether a process of the subject lives."""
        living = self._subject.living(self._trace)
        return bool(living) and self._backend.lives(living)

    def _wait(self) -> None:
        """Wait a moment, less if something happens."""
        info = self._backend.wait(self._options.interval, BLOCKED_SIGNALS)
        if info is None or info.si_signo == signal.SIGCHLD:
            return
        if info.si_signo == signal.SIGUSR1:
            self._asked = True
        elif self._subject.take(info.si_signo, info.si_pid):
            self._stopped = True
