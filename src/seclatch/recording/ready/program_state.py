"""Conditions that the recorder finds itself: a listening socket, accept(2), time."""

from __future__ import annotations

import time

from seclatch.model.arch import Arch
from seclatch.model.syscall import load_syscalls
from seclatch.recording.ready.ready_condition import ReadyCondition, ReadyView, RecordedView
from seclatch.system.listening_sockets import list_listening
from seclatch.system.procfs import list_links


class Listens(ReadyCondition):
    """A process of the program has a listening socket: on this TCP port, or (0) any."""

    def __init__(self, text: str, port: int) -> None:
        super().__init__(text)
        self._port = port

    def is_met(self, view: ReadyView) -> bool:
        """Return whether a process has such a socket open: others may share its namespace."""
        return any(map(self._listens, view.list_pids()))

    def _listens(self, pid: int) -> bool:
        links = {link for link in list_links(pid) if link.startswith("socket:[")}
        return bool(links) and any(
            socket.link in links and self._port in (0, socket.port)
            for socket in list_listening(pid)
        )


class AcceptsConnections(ReadyCondition):
    """The program has called accept(2) or accept4(2): it waits for a connection, or took one."""

    def is_met(self, view: ReadyView) -> bool:
        """Look at the counts of all segments of its living processes."""
        if not isinstance(view, RecordedView):
            return False  # calls are only counted while they are recorded
        view.backend.catch_up()
        numbers = load_syscalls(Arch.native()).numbers
        calls = [(False, numbers[name]) for name in ("accept", "accept4") if name in numbers]
        return any(
            view.trace.segments[segment].calls.get(call)
            for process, _ in view.list_programs()
            for segment in process.segments
            for call in calls
        )


class TimeHasPassed(ReadyCondition):
    """So many seconds after the recording began."""

    def __init__(self, text: str, seconds: float) -> None:
        super().__init__(text)
        self._seconds = seconds
        self._began = time.monotonic()

    def begin(self, *, client: bool) -> None:
        """Count from here."""
        self.count_from(time.monotonic())

    def count_from(self, began: float) -> None:
        """Count from that time of the monotonic clock."""
        self._began = began

    def is_met(self, view: ReadyView) -> bool:
        """Return whether the time has passed."""
        return time.monotonic() - self._began >= self._seconds
