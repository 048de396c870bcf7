"""One set of kernel programs and maps for many containers, with a trace of each.

The kernel programs number the containers, and each event carries its container's number. What is
lost in the shared buffers is counted in the recordings of all that ran: no one can tell whose it
was.
"""

from __future__ import annotations

from seclatch.recording.backends.bpf import loader
from seclatch.recording.backends.bpf.abi import (
    ARGUMENT_KEY,
    COUNT,
    DENIED_ARGUMENT,
    RARE_KEY,
    WORD,
    Event,
    Mode,
)
from seclatch.recording.backends.bpf.adopt_processes import ITERATOR, adopt, release
from seclatch.recording.backends.bpf.container_scope import (
    ContainerScope,
    forget_container,
    watch_container,
)
from seclatch.recording.backends.bpf.loader import Probe
from seclatch.recording.backends.bpf.map_reader import Harvest
from seclatch.recording.trace.event_kinds import EventKind
from seclatch.recording.trace.trace import Segment, Trace, TraceLoss


class SharedEbpf:
    """Kernel programs that follow many containers. Raises SeclatchError where they cannot load."""

    def __init__(self) -> None:
        self.probe = loader.load(by_words=True)
        # Runtimes of other users ask no recorder; their programs could name any container.
        WORD.pack_into(self.probe.globals, self.probe.find_global("words_of_root"), 1)
        self.harvest = SharedHarvest(self.probe)

    def prepare(self) -> None:
        """Load what the first container would wait for. Raises OSError, bpf.VerifierError."""
        self.probe.iterator(ITERATOR)

    def follow_front(self, number: int, scope: ContainerScope, pid: int) -> Trace | None:
        """Follow a process that is about to make a container; None if it has ended.

        What it runs is read before this returns: it may execute the runtime then, and /proc has no
        arguments meanwhile. Raises OSError, bpf.VerifierError.
        """
        trace = self._follow(number, scope, pid)
        self.harvest.collect()
        return trace

    def follow_running(self, number: int, scope: ContainerScope) -> Trace | None:
        """Follow the processes of a container that runs; None if there are none."""
        return self._follow(number, scope, 0)

    def _follow(self, number: int, scope: ContainerScope, pid: int) -> Trace | None:
        trace = self.harvest.add(number)
        try:
            if adopt(self.probe, scope, process=pid, number=number):
                return trace
        except BaseException:
            self.forget(number, scope)
            raise
        self.forget(number, scope)
        return None

    def enter(self, number: int, scope: ContainerScope) -> None:
        """Follow what joins the container, whose namespaces are known now. Raises OSError."""
        watch_container(self.probe, scope, number=number)

    def forget(self, number: int, scope: ContainerScope) -> None:
        """Follow nothing more of a container; its trace stays as it is. Raises OSError."""
        self.harvest.remove(number)
        forget_container(self.probe, scope, number=number)

    def release(self) -> None:
        """Give back what tasks of containers take that were forgotten and go on."""
        release(self.probe)

    def close(self) -> None:
        """Close all maps and programs."""
        self.probe.close()


class SharedHarvest(Harvest):
    """Fills the traces of many containers from the maps that they share."""

    def __init__(self, probe: Probe) -> None:
        self._unclaimed = Trace()
        super().__init__(probe, self._unclaimed)
        self._traces: dict[int, Trace] = {}
        self._lost_before: dict[int, TraceLoss] = {}
        self._owners: dict[int, int] = {}  # container by segment, while the maps may have rows
        self._unknown: set[int] = set()
        self.touched: set[int] = set()
        """Containers of which something was read since this was cleared."""

    def add(self, number: int) -> Trace:
        """Return a new trace for a container."""
        self._traces[number], self._lost_before[number] = Trace(), self._read_lost()
        return self._traces[number]

    def remove(self, number: int) -> None:
        """Take no more of a container."""
        self._traces.pop(number, None)
        self._lost_before.pop(number, None)

    def collect(self) -> None:
        """Take all events that are there, and the counters of segments that have ended."""
        self._unclaimed = Trace()  # what came of containers that were removed
        for event in self._ring.read():
            number = WORD.unpack_from(event, Event.CONTAINER)[0]
            self._trace = self._traces.get(number, self._unclaimed)
            self.touched.add(number)
            self._readers[EventKind(WORD.unpack_from(event)[0])](event)

    def catch_up(self) -> None:
        """Bring all traces up to now."""
        self.collect()
        for segment, slot in self._open.items():
            self._trace = self._find_trace(segment)
            self._take(segment, slot)
        self._take_rare()
        now = self._read_lost()
        for number, trace in self._traces.items():
            trace.lost = _subtract(now, self._lost_before[number])

    def count_open(self) -> dict[int, int]:
        """Count the segments that have a slot, by container."""
        counts: dict[int, int] = {}
        for segment in self._open:
            number = self._owners.get(segment, 0)
            counts[number] = counts.get(number, 0) + 1
        return counts

    def lives(self, trace: Trace, processes: set[int]) -> bool:
        """Return whether a thread of one of these processes of a trace lives."""
        segments = (trace.segments.get(segment) for segment in self._list_inhabited())
        return any(found and found.process in processes for found in segments)

    def _find_trace(self, segment: int) -> Trace:
        return self._traces.get(self._owners.get(segment, 0), self._unclaimed)

    def _begin(self, event: bytes) -> None:
        super()._begin(event)
        container, segment = (
            WORD.unpack_from(event, place)[0] for place in (Event.CONTAINER, Event.SEGMENT)
        )
        self._owners[segment] = container

    def _take_rare(self) -> None:
        """Take the counters that have a map entry each; delete those that are final.

        The maps have room for the segments that live, and not for all that ever did.
        """
        ended = [number for number in self._owners if number not in self._open]
        final = set(ended)
        unknown: set[int] = set()
        for name, key in (("rare", RARE_KEY), ("arguments", ARGUMENT_KEY)):
            counters = self._probe.map(name)
            for row, value in counters.items():
                number, *rest = key.unpack(row)
                found = self._find_trace(number).segments.get(number)
                if found:
                    _put(found, name, rest, COUNT.unpack(value)[0])
                elif number not in self._owners:
                    unknown.add(number)  # perhaps its event is still to come
                if number in final or number in self._unknown:
                    counters.delete(row)
        self._unknown = unknown
        for number in ended:
            del self._owners[number]


def _put(segment: Segment, name: str, rest: list[int], count: int) -> None:
    """Set a counter: the maps have totals."""
    if name == "arguments":
        call, index, value = rest
        kept = segment.denied_arguments if index & DENIED_ARGUMENT else segment.arguments
        kept[call, index & ~DENIED_ARGUMENT, value] = count
        return
    call, mode, errno = rest
    compat = bool(mode & Mode.COMPAT)
    if mode & Mode.INJECTED:
        segment.injected[compat, call] = count
    elif mode & Mode.DENIED:
        segment.denied[compat, call, errno] = count
    else:
        segment.calls[compat, call] = count


def _subtract(now: TraceLoss, before: TraceLoss) -> TraceLoss:
    return TraceLoss(
        now.events - before.events,
        now.processes - before.processes,
        now.calls - before.calls,
        now.arguments - before.arguments,
    )
