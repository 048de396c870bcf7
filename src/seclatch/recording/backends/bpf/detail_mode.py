"""The closer look that a recording may take besides (native/bpf/detail.h): what reads it."""

from __future__ import annotations

from seclatch.recording.backends.bpf.abi import COUNT
from seclatch.recording.backends.bpf.detail_events import (
    RING_SIZE,
    Failures,
    Flights,
    Outputs,
    Sights,
)
from seclatch.recording.backends.bpf.event_ring import Ring
from seclatch.recording.backends.bpf.loader import Probe


class Closer:
    """Reads what the programs of detail mode leave."""

    def __init__(self, probe: Probe, sights: Sights) -> None:
        self._probe = probe
        self._sights = sights
        self._ring = Ring(probe.map("details"), RING_SIZE)
        self._counted = 0
        self._flights = Flights(probe.map("call_logs").map_memory(size=Flights.size()), sights)
        self._outputs = Outputs(probe.map("output_logs").map_memory(size=Outputs.size()), sights)
        memory = probe.map("failure_logs").map_memory(size=Failures.size())
        self._failures = Failures(memory, sights)

    def close(self, segment: int, slot: int) -> None:
        """Take what is kept of a segment that has ended."""
        self._flights.close(segment, slot)
        self._outputs.close(segment, slot)
        self._failures.close(segment, slot)

    def collect(self) -> None:
        """Take all events that are there."""
        for event in self._ring.read():
            self._sights.add(event)
        lost = COUNT.unpack_from(self._probe.globals, self._probe.find_global("lost_details"))[0]
        self._sights.lost += lost - self._counted
        self._counted = lost
