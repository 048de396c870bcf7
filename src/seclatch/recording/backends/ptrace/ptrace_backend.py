"""The ptrace back end, for where eBPF is not permitted: follows what the command itself starts.

Each call stops its thread twice, which takes some 60 µs for a call of 0.3 µs. A thread can have
only one tracer, so programs that trace (strace, gdb, the latch) do not work below it, and a
set-user-id program gains no privilege (decision 0021).
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import time
from collections.abc import Collection, Iterable
from pathlib import Path
from threading import get_native_id

from seclatch.errors import SeclatchError
from seclatch.recording.backends.backend import RecordingBackend
from seclatch.recording.backends.ptrace import stopped_thread
from seclatch.recording.backends.ptrace.tracees import TracedThreads
from seclatch.recording.trace.ready_mark import CallInFlight
from seclatch.system import ptrace
from seclatch.system.ptrace import TraceEvent
from seclatch.system.signal_wait import ReceivedSignal, await_signal

_STOP_SIGNALS = {signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU}
_BIRTH_EVENTS = {TraceEvent.FORK, TraceEvent.VFORK, TraceEvent.CLONE}
_SYSCALL_STOP = signal.SIGTRAP | 0x80  # PTRACE_O_TRACESYSGOOD
_EVENT = 16
_DETACH_SECONDS = 2.0


class PtraceBackend(RecordingBackend):
    """Traces the command, a child of the recorder; the kernel attaches its descendants."""

    name = "ptrace"

    def __init__(self, reason: str = "") -> None:
        super().__init__()
        self.notice = (
            "recording with ptrace: each call takes some hundred times as long, and only what the "
            "command itself starts is seen" + (f" (eBPF: {reason})" if reason else "")
        )
        self._threads = TracedThreads(self.trace)
        self._early: dict[int, int] = {}  # stops of threads whose creation was not reported yet
        self._statuses: dict[int, int] = {}
        self._go = os.pipe()
        self._detaching = False
        self._child = 0  # still a child when it is not traced any more

    def follow_daemons(self) -> int:
        """Follow none: daemons are not descendants of the command."""
        return 0

    def await_go(self) -> None:
        """Wait until the parent has seized this process."""
        os.read(self._go[0], 1)

    def follow_child(self, pid: int, program: str) -> None:
        """Seize the child. Raises SeclatchError where that is not permitted."""
        try:
            ptrace.seize_thread(pid)
        except OSError as error:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise _explain_seize_error(error) from error
        self._child = pid
        self._threads.add_root(pid, program)
        os.write(self._go[1], b"x")

    def wait(self, seconds: float, signals: set[signal.Signals]) -> ReceivedSignal | None:
        """Handle stops until the time is over or a signal other than SIGCHLD arrives."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if self._handle_stops():
                continue
            info = await_signal(signals, left)
            if info is None or info.si_signo != signal.SIGCHLD or self._statuses:
                return info
        return await_signal(signals - {signal.SIGCHLD}, 0)

    def _handle_stops(self) -> bool:
        """Handle pending stops; return False if there are none."""
        stops = _take_stops(self._threads.known, (*self._early, self._child))
        for tid, status in stops:
            self._handle_status(tid, status)
        return bool(stops)

    def _handle_status(self, tid: int, status: int) -> None:
        if not os.WIFSTOPPED(status):
            self._early.pop(tid, None)
            self._threads.handle_end(tid, status)
            self._statuses[tid] = status
        elif tid not in self._threads.known and status >> _EVENT == TraceEvent.STOP:
            self._early[tid] = status
        else:
            with contextlib.suppress(ProcessLookupError):  # killed in its stop (ptrace(2), ESRCH)
                self._handle_stop(tid, status)

    def _handle_stop(self, tid: int, status: int) -> None:
        number, event = os.WSTOPSIG(status), status >> _EVENT
        if number == _SYSCALL_STOP:
            self._threads.handle_call_stop(tid, _read_call_info(tid))
            try:
                self._resume(tid)
            except ProcessLookupError:
                self._threads.undo_entry(tid)
        elif event == TraceEvent.STOP:
            # PTRACE_LISTEN keeps a tracee in its group-stop until SIGCONT.
            stopped = number in _STOP_SIGNALS and not self._detaching
            self._resume(tid, request=ptrace.LISTEN if stopped else ptrace.SYSCALL)
        elif event in _BIRTH_EVENTS:
            self._handle_birth(tid, ptrace.read_event_message(tid))
            self._resume(tid)
        elif event == TraceEvent.EXEC:
            self._threads.handle_exec(tid, ptrace.read_event_message(tid))
            self._resume(tid)
        else:
            self._resume(tid, number)

    def _handle_birth(self, parent: int, tid: int) -> None:
        self._threads.add_child(parent, tid)
        if self._early.pop(tid, None) is not None:
            with contextlib.suppress(ProcessLookupError):
                self._resume(tid)

    def _resume(self, tid: int, number: int = 0, request: int = ptrace.SYSCALL) -> None:
        if self._detaching:
            self._threads.known.pop(tid, None)
            request = ptrace.DETACH
        ptrace.resume_tracee(tid, request, number)

    def collect(self) -> None:
        """Do nothing: the trace is filled by `wait`."""

    def catch_up(self) -> None:
        """Do nothing, as `collect`."""

    def finish(self) -> None:
        """Do nothing, as `collect`."""

    def detach(self) -> None:
        """Detach from each thread: at once if it runs, else when its call has ended.

        An interrupted call does not resume unnoticed: epoll_wait fails with EINTR, and a sleep
        resumes by restart_syscall, which a filter may deny or kill (signal(7)).
        """
        self._detaching = True
        for tid in [*self._early]:
            with contextlib.suppress(ProcessLookupError):
                ptrace.resume_tracee(tid, ptrace.DETACH)
        running = {tid for tid in self._threads.known if not stopped_thread.is_in_call(tid)}
        for tid in running:
            with contextlib.suppress(ProcessLookupError):
                ptrace.interrupt_tracee(tid)
        # The kernel detaches the remaining tracees when the recorder ends, without stopping them.
        end = time.monotonic() + _DETACH_SECONDS
        while running & self._threads.known.keys() and time.monotonic() < end:
            if not self._handle_stops():
                await_signal({signal.SIGCHLD}, 0.01)

    def lives(self, processes: set[int]) -> bool:
        """Return whether any tracee lives: ends are never lost here."""
        return bool(self._threads.known)

    def poll(self, pid: int) -> int | None:
        """Return the child's status from the handled stops: it may be traced to its end."""
        while self._detaching and self._handle_stops():
            pass
        status = self._statuses.get(pid)
        self._statuses.clear()
        return status

    def list_calls_in_flight(self) -> Iterable[CallInFlight]:
        """List them from the last stop of each thread."""
        return [
            (thread.segment.id, thread.entered)
            for thread in self._threads.known.values()
            if thread.entered is not None
        ]

    def close(self) -> None:
        """Close the pipe. The kernel detaches tracees that an error has left."""
        for fd in self._go:
            os.close(fd)


def _take_stops(known: Collection[int], more: Collection[int]) -> list[tuple[int, int]]:
    """Reap tracees: thread ids with their status as wait(2) has it.

    The recorder may be part of another program (`seclatch.record`), whose other children are that
    program's to wait for: their status is looked at (WNOWAIT) and left in place. The first child in
    line is taken if it is a tracee or a known thread; else each known thread is asked for. A tracee
    that is not known yet waits until the event of its creation has been seen.
    """
    tid = ptrace.peek_child()
    if not tid:
        return []
    if tid in known or tid in more or stopped_thread.read_tracer(tid) == get_native_id():
        return _reap(tid)
    # Another child is first in line, perhaps for long: a zombie that has not been waited for.
    return [status for tid in (*known, *more) for status in _reap(tid)]


def _reap(tid: int) -> list[tuple[int, int]]:
    """Return the next stop or the end of a thread, if there is one."""
    try:
        found, status = os.waitpid(tid, os.WNOHANG | ptrace.WALL)
    except ChildProcessError:
        return []
    return [(found, status)] if found else []


def _read_call_info(tid: int) -> ptrace.CallStop:
    try:
        return ptrace.read_call_stop(tid)
    except OSError as error:
        if error.errno == errno.EIO:
            raise SeclatchError(
                "recording with ptrace: the kernel has no PTRACE_GET_SYSCALL_INFO",
                remedy=f"it takes Linux 5.3 or newer, this is {os.uname().release}",
            ) from error
        raise


def _explain_seize_error(error: OSError) -> SeclatchError:
    remedy = "something may trace this process already (strace, gdb): run seclatch without it"
    with contextlib.suppress(OSError):
        if Path("/proc/sys/kernel/yama/ptrace_scope").read_text().strip() == "3":
            remedy = "kernel.yama.ptrace_scope is 3, which forbids tracing until the next boot"
    return SeclatchError(f"recording with ptrace: {error.strerror}", remedy=remedy)
