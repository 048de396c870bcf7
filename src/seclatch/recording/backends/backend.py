"""The two ways to watch system calls, behind one interface: eBPF and ptrace."""

from __future__ import annotations

import os
import signal
from abc import ABC, abstractmethod

from seclatch.recording.trace.trace import Trace
from seclatch.system.signal_wait import ReceivedSignal, await_signal


class RecordingBackend(ABC):
    """Fills `trace` with what a command and its descendants do.

    In this order: `follow_daemons`; in the child `await_go`, in the parent `follow_child`; `wait`
    and `collect` by turns, `catch_up` in between; `detach`, `finish`, `close`.
    """

    name: str
    notice: str = ""
    """What the user should know of this way before it begins."""

    def __init__(self) -> None:
        self.trace = Trace()

    @abstractmethod
    def follow_daemons(self) -> int:
        """Follow engines that run already; answer how many processes that are."""

    @abstractmethod
    def await_go(self) -> None:
        """Called in the child that is to become the command: return once it is followed."""

    @abstractmethod
    def follow_child(self, pid: int, program: str) -> None:
        """Called in the parent: follow that child, which is going to exec `program`."""

    @abstractmethod
    def collect(self) -> None:
        """Bring the trace up to now as far as that costs little."""

    @abstractmethod
    def catch_up(self) -> None:
        """Bring all of the trace up to now."""

    @abstractmethod
    def detach(self) -> None:
        """Let go of all that is followed; the trace can still be brought up to this moment."""

    @abstractmethod
    def finish(self) -> None:
        """Take everything that is left; once, after `detach`."""

    @abstractmethod
    def lives(self, processes: set[int]) -> bool:
        """Whether a thread of one of these processes (by number in the trace) lives."""

    def wait(self, seconds: float, signals: set[signal.Signals]) -> ReceivedSignal | None:
        """Wait that long at most, for one of the signals, which are blocked; let things go on."""
        return await_signal(signals, seconds)

    def poll(self, pid: int) -> int | None:
        """The child's status as wait(2) has it, once it has ended."""
        ended, status = os.waitpid(pid, os.WNOHANG)
        return status if ended else None

    @abstractmethod
    def close(self) -> None:
        """Give everything back."""
