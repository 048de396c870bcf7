"""Run a back end until the recorded command or container ends, and make the recording."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from datetime import datetime

    from seclatch.model.pod import PodContainer
    from seclatch.model.recording.recording import Recording
    from seclatch.recording.backends.backend import RecordingBackend
    from seclatch.recording.backends.bpf.detail_events import Sights
    from seclatch.recording.ready.ready_condition import EngineContainer, ReadyCondition
    from seclatch.recording.trace.run_metadata import RunMetadata
    from seclatch.recording.trace.trace import Trace

STOP_SIGNALS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
REQUEST_SIGNALS = {signal.SIGUSR1, signal.SIGUSR2}
"""SIGUSR1 asks for the recording so far, SIGUSR2 marks the program as ready."""

BLOCKED_SIGNALS = STOP_SIGNALS | REQUEST_SIGNALS | {signal.SIGCHLD}
"""Signals that must be blocked while a recorder works: it reads them with sigtimedwait(2)."""

BY_HAND = "mark"
"""The condition of a mark by SIGUSR2."""

_READY_INTERVAL = 0.05
_SETTLE_INTERVAL = 0.25
_MEMFD = "/memfd:"
_MAX_SHARE = 10
"""Intermediate recordings take at most one part in ten of the time, however long a trace is."""

MAX_BULK = 1_000_000
"""Limit of a trace: half a million processes that exec once, some 5 GB of memory."""


def name_badge(pid: int) -> str:
    """Return what a descriptor of a process links to that reads BLOCKED_SIGNALS.

    Other processes are ended by SIGUSR2. Their masks do not show it: sigtimedwait(2) unblocks the
    signals that it waits for.
    """
    return f"{_MEMFD}seclatch-recorder-{pid}"


class RecordOptions(NamedTuple):
    """Limits and callbacks of a recording.

    `seconds`: record no longer than that. `observe` is called with the recording so far every
    `every` seconds; `save` after `save_first`, then every `save_every`, and on SIGUSR1. Neither is
    called at the end.

    `max_bulk`: end the recording at this size (Trace.bulk); its `lost` then counts the processes
    that go on. `notify` is called with messages for the user. `backend`: ebpf, ptrace, or auto
    (ptrace only where eBPF is not available).

    `sights`, if given, is filled with detail events (eBPF only). `watch` is called with the trace
    after each update, every `interval` seconds. `kill_on_repeat`: the second request to stop kills
    what the first did not end. `query_images`: ask engines for the images of containers.
    `until_command_ends`: end the recording soon after the command, whatever it has left running.
    `ready`: when the program is ready, and its running phase begins. `find_pod` is asked for the
    names in Kubernetes of each container that the command starts, by its id. `on_stop` is called at
    each request to stop; `prepare` in the command's process before its exec (it may raise OSError).
    `blocks_requests`: REQUEST_SIGNALS stay blocked, for a caller that writes a file and ends.
    """

    seconds: float | None = None
    observe: Callable[[Recording], None] | None = None
    every: float = 0.25
    save: Callable[[Recording], None] | None = None
    save_first: float = 5.0
    save_every: float = 5.0
    max_bulk: int = MAX_BULK
    notify: Callable[[str], None] = lambda _: None
    backend: str = "auto"
    sights: Sights | None = None
    watch: Callable[[Trace], None] = lambda _: None
    interval: float = 0.02
    kill_on_repeat: bool = False
    query_images: bool = True
    until_command_ends: bool = False
    ready: ReadyCondition | None = None
    find_pod: Callable[[str], PodContainer | None] | None = None
    on_stop: Callable[[], None] = lambda: None
    prepare: Callable[[], None] = lambda: None
    blocks_requests: bool = False


def restore_signals(mask: set[signal.Signals] | set[int], options: RecordOptions) -> None:
    """Let signals through again, but for requests that came too late: they would end this process.

    Raises OSError.
    """
    from seclatch.system.signal_wait import await_signal

    while await_signal(REQUEST_SIGNALS - mask, 0):
        pass
    kept = REQUEST_SIGNALS if options.blocks_requests else set[signal.Signals]()
    signal.pthread_sigmask(signal.SIG_SETMASK, kept.union(mask))


class RecordingSource(Protocol):
    """The command or container that is recorded."""

    def start(self, backend: RecordingBackend) -> None:
        """Start following it. Raises SeclatchError."""

    def update(self, trace: Trace, options: RecordOptions) -> None:
        """Process what is new in the trace; called after each reading of the back end."""

    def find_living(self, trace: Trace) -> set[int]:
        """Return the processes that the recording waits for; it ends when there is none."""

    def is_pending(self, backend: RecordingBackend) -> bool:
        """Return whether the recording goes on without a living process."""

    def handle_signal(self, signal_: int, sender: int) -> bool:
        """Handle a request to stop and return whether to end; `sender` 0: from the terminal."""

    def select_related(self, trace: Trace) -> Trace:
        """Return the part of the trace that belongs to it."""

    def list_containers(self, trace: Trace) -> tuple[EngineContainer, ...]:
        """Return the containers in a trace of it about which an engine can be asked."""

    def describe_run(
        self, started: datetime, began: int, ended: int, complete: bool
    ) -> RunMetadata:
        """Return the metadata of the recording."""


class TraceRecorder:
    """Records one source by one back end. BLOCKED_SIGNALS must be blocked."""

    def __init__(
        self, backend: RecordingBackend, source: RecordingSource, options: RecordOptions
    ) -> None:
        self._backend = backend
        self._source = source
        self._options = options
        self._started = time.time()
        self._began = time.monotonic_ns()
        self._stopped = False
        self._asked = False
        self._next_check = 0.0
        self._next_look = time.monotonic() + options.every
        self._next_save = time.monotonic() + options.save_first
        self._next_ready_check = 0.0
        self._next_settling = 0.0

    @property
    def _trace(self) -> Trace:
        return self._backend.trace

    def record(self) -> Recording:
        """Follow the source to its end, detach, and return the recording."""
        badge = os.memfd_create(name_badge(os.getpid()).removeprefix(_MEMFD))
        try:
            return self._record()
        finally:
            os.close(badge)

    def _record(self) -> Recording:
        self._source.start(self._backend)

        while not self._is_done():
            self._wait()
            self._backend.collect()
            self._source.update(self._trace, self._options)
            self._options.watch(self._trace)
            self._check_ready()
            self._settle_processes()
            self._report_progress()
        ended = time.monotonic_ns()
        self._backend.detach()
        self._backend.finish()
        self._source.update(self._trace, self._options)
        self._options.watch(self._trace)
        if self._is_full():
            self._count_cut_off()
        if self._options.ready and self._trace.ready is None:
            self._options.notify(
                f"the program was never ready by --ready {self._options.ready.text}: the recording "
                "has one phase"
            )
        return self._make_recording(ended, complete=True)

    def _check_ready(self) -> None:
        """Mark the program as ready once its condition is met."""
        ready, now = self._options.ready, time.monotonic()
        if ready is None or self._trace.ready or now < self._next_ready_check:
            return
        related = self._source.select_related(self._trace)
        from seclatch.recording.ready.ready_condition import RecordedView

        view = RecordedView(self._backend, related, self._source.list_containers(related))
        if ready.is_met(view):
            self._mark_ready(ready.text)
        ended = time.monotonic()
        self._next_ready_check = ended + max(_READY_INTERVAL, _MAX_SHARE * (ended - now))

    def _mark_ready(self, condition: str) -> None:
        from seclatch.recording.trace.ready_mark import mark_ready

        self._backend.catch_up()
        in_flight = self._backend.list_calls_in_flight()
        mark_ready(self._trace, time.monotonic_ns(), condition, in_flight)
        seconds = (time.monotonic_ns() - self._began) / 1e9
        self._options.notify(f"ready ({condition}) after {seconds:.1f} s: the running phase begins")

    def _settle_processes(self) -> None:
        """Mark the processes as settled that have begun after the ready mark and started since."""
        began = time.monotonic()
        if self._trace.ready is None or began < self._next_settling:
            return
        from seclatch.recording.trace.ready_mark import list_unsettled, settle_processes

        if started := list_unsettled(self._trace, time.monotonic_ns()):
            self._backend.catch_up()
            in_flight = self._backend.list_calls_in_flight()
            settle_processes(self._trace, started, in_flight)
        ended = time.monotonic()
        self._next_settling = ended + max(_SETTLE_INTERVAL, _MAX_SHARE * (ended - began))

    def _is_full(self) -> bool:
        return self._trace.bulk >= self._options.max_bulk

    def _count_cut_off(self) -> None:
        """Count living processes as lost: what they do after the size limit is not recorded.

        Processes that ended before are complete.
        """
        from dataclasses import replace

        lost = self._trace.lost
        left = len(self._source.find_living(self._trace))
        if not left:
            return
        self._trace.lost = replace(lost, processes=lost.processes + left)
        self._options.notify(
            f"the recording ends at {self._options.max_bulk:,} processes and execs; the "
            "recorded processes go on"
        )

    def _report_progress(self) -> None:
        """Call `observe` and `save` with the recording so far when they are due."""
        now, options = time.monotonic(), self._options
        saves = options.save is not None and (self._asked or now >= self._next_save)
        observes = options.observe is not None and now >= self._next_look
        if not saves and not observes:
            return
        self._backend.catch_up()
        recording = self._make_recording(time.monotonic_ns(), complete=False)
        if options.observe and observes:
            options.observe(recording)
        if options.save and saves:
            options.save(recording)
            self._asked = False
        ended = time.monotonic()
        pause = _MAX_SHARE * (ended - now)
        if observes:
            self._next_look = ended + max(options.every, pause)
        if saves:
            self._next_save = ended + max(options.save_every, pause)

    def _make_recording(self, ended: int, *, complete: bool) -> Recording:
        from datetime import UTC, datetime

        from seclatch.recording.trace.summarize_trace import summarize_trace

        started = datetime.fromtimestamp(self._started, UTC)
        run = self._source.describe_run(started, self._began, ended, complete)
        return summarize_trace(self._source.select_related(self._trace), run)

    def _is_done(self) -> bool:
        if self._stopped:
            return True
        limit = self._options.seconds
        if limit is not None and time.monotonic_ns() - self._began >= limit * 1e9:
            return True
        if self._is_full():
            return True
        began = time.monotonic()
        if self._source.is_pending(self._backend) or began < self._next_check:
            return False
        self._backend.collect()  # what happened before it was no longer pending
        goes_on = self._is_alive()
        ended = time.monotonic()
        self._next_check = ended + _MAX_SHARE * (ended - began)
        return not goes_on

    def _is_alive(self) -> bool:
        """Return whether a process of the source lives."""
        living = self._source.find_living(self._trace)
        return bool(living) and self._backend.lives(living)

    def _wait(self) -> None:
        """Wait for the interval, or until a signal arrives."""
        info = self._backend.wait(self._options.interval, BLOCKED_SIGNALS)
        if info is None or info.si_signo == signal.SIGCHLD:
            return
        if info.si_signo == signal.SIGUSR1:
            self._asked = True
        elif info.si_signo == signal.SIGUSR2:
            self._mark_ready(BY_HAND)
        else:
            self._options.on_stop()
            if self._source.handle_signal(info.si_signo, info.si_pid):
                self._stopped = True
