"""The eBPF back end: counts in the kernel, and reads what was counted."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING

from seclatch.recording.backends.backend import RecordingBackend
from seclatch.recording.backends.bpf import loader
from seclatch.recording.backends.bpf.adopt_daemons import follow_daemons, sees_host

if TYPE_CHECKING:
    from seclatch.recording.backends.bpf.adopt_daemons import FollowedDaemon
    from seclatch.recording.backends.bpf.detail_events import Sights
    from seclatch.recording.backends.bpf.map_reader import Harvest
    from seclatch.recording.trace.ready_mark import CallInFlight


class Ebpf(RecordingBackend):
    """Kernel programs and what reads them. Raises SeclatchError where they cannot be loaded."""

    name = "ebpf"

    def __init__(self, sights: Sights | None = None, *, by_words: bool = False) -> None:
        self._sights = sights
        self._daemons: list[FollowedDaemon] = []
        self.probe = loader.load(closely=sights is not None, by_words=by_words)

    @cached_property
    def harvest(self) -> Harvest:
        """What reads the maps: from the command's start on, they hold what comes meanwhile."""
        from seclatch.recording.backends.bpf.map_reader import Harvest

        found = Harvest(self.probe, self.trace)
        if self._sights is not None:
            found.look_closer(self._sights)
        for daemon in self._daemons:
            found.register(daemon)
        return found

    def follow_daemons(self) -> int:
        """Those of this host, if it is not seen from within a pid namespace."""
        self._daemons = follow_daemons(self.probe)
        if self._daemons:
            self.harvest.collect()  # its imports do not wait for what a daemon does at once
        return len(self._daemons)

    def await_go(self) -> None:
        """Register; nobody is waited for."""
        self.probe.register_self()

    def follow_child(self, pid: int, program: str) -> None:
        """Nothing is to be done: the child has registered itself."""

    def collect(self) -> None:
        """Take the events that are there."""
        self.harvest.collect()

    def catch_up(self) -> None:
        """Take the counters too."""
        self.harvest.catch_up()

    def detach(self) -> None:
        """No task on the host is slowed down any more."""
        self.probe.detach()

    def finish(self) -> None:
        """Take everything."""
        self.harvest.finish()

    def lives(self, processes: set[int]) -> bool:
        """Return whether one of these processes has a task left.

        Events of ends may be lost; the slots' counts of tasks are not.
        """
        return self.harvest.has_tasks(processes)

    def list_calls_in_flight(self) -> Iterable[CallInFlight]:
        """Read them from /proc, where its process ids are those that the kernel programs see."""
        from seclatch.recording.trace.calls_in_flight import read_calls_in_flight

        return read_calls_in_flight(self.trace) if sees_host() else ()

    def close(self) -> None:
        """Close all maps and programs."""
        self.probe.close()
