"""The interface of the two back ends that observe system calls: eBPF and ptrace."""

from __future__ import annotations

import os
import signal
from abc import ABC, abstractmethod
from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING

from seclatch.system.signal_wait import ReceivedSignal, await_signal

if TYPE_CHECKING:
    from seclatch.recording.trace.ready_mark import CallInFlight
    from seclatch.recording.trace.trace import Trace


class RecordingBackend(ABC):
    """Fills `trace` with what a command and its descendants do.

    Call in this order: `follow_daemons`; in the child `await_go`, in the parent `follow_child`;
    `wait` and `collect` in turns, with `catch_up` when the trace must be complete; `detach`,
    `finish`, `close`.
    """

    name: str
    notice: str = ""
    """A message for the user before the recording begins."""

    @cached_property
    def trace(self) -> Trace:
        """What is recorded; imported when it is asked for, which is after the command's start."""
        from seclatch.recording.trace.trace import Trace

        return Trace()

    @abstractmethod
    def follow_daemons(self) -> int:
        """Follow engine daemons that run already, and return how many."""

    @abstractmethod
    def await_go(self) -> None:
        """Wait, in the child that will exec the command, until it is followed."""

    @abstractmethod
    def follow_child(self, pid: int, program: str) -> None:
        """Follow, from the parent, the child that is going to exec `program`."""

    @abstractmethod
    def collect(self) -> None:
        """Bring the trace up to date as far as that is cheap."""

    @abstractmethod
    def catch_up(self) -> None:
        """Bring the whole trace up to date."""

    @abstractmethod
    def detach(self) -> None:
        """Detach from everything that is followed; what happened before can still be read."""

    @abstractmethod
    def finish(self) -> None:
        """Read everything that is left; once, after `detach`."""

    @abstractmethod
    def lives(self, processes: set[int]) -> bool:
        """Return whether a thread of one of these processes (numbers of the trace) lives."""

    @abstractmethod
    def list_calls_in_flight(self) -> Iterable[CallInFlight]:
        """List the calls that threads of living processes are in."""

    def wait(self, seconds: float, signals: set[signal.Signals]) -> ReceivedSignal | None:
        """Wait for one of these blocked signals, at most this long, while recording goes on."""
        return await_signal(signals, seconds)

    def poll(self, pid: int) -> int | None:
        """Return the child's status as wait(2) has it, once it has ended."""
        ended, status = os.waitpid(pid, os.WNOHANG)
        return status if ended else None

    @abstractmethod
    def close(self) -> None:
        """Release all resources."""
