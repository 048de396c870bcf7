"""Reads what the kernel programs have left, in time for its memory to be used again."""

from __future__ import annotations

import mmap
import os
import struct
from collections import Counter
from collections.abc import Iterator
from itertools import compress
from typing import TYPE_CHECKING

from seclatch.recording.backends.bpf import abi
from seclatch.recording.backends.bpf.abi import (
    ARGUMENT_KEY,
    COUNT,
    DENIAL,
    DENIED_ARGUMENT,
    FACTS,
    HEADER,
    RARE_KEY,
    WORD,
    Control,
    Event,
    Mode,
    Slot,
)
from seclatch.recording.backends.bpf.event_ring import Ring
from seclatch.recording.backends.bpf.loader import Probe
from seclatch.recording.trace.event_kinds import EventKind
from seclatch.recording.trace.process_image import read_running_image
from seclatch.recording.trace.trace import (
    CallKey,
    FirstDenial,
    SeccompSuspension,
    Segment,
    TaskFacts,
    Trace,
    TraceLoss,
)
from seclatch.system.bpf import Map

if TYPE_CHECKING:
    from seclatch.recording.backends.bpf.adopt_daemons import FollowedDaemon
    from seclatch.recording.backends.bpf.detail_events import Sights
    from seclatch.recording.backends.bpf.detail_mode import Closer

_COUNTERS = struct.Struct(f"={abi.NUMBERS}Q")
_NOTHING = bytes(_COUNTERS.size)
_ZEROS = (0,) * abi.NUMBERS
_KEYS = tuple((False, number) for number in range(abi.NUMBERS))
_MAX_SAID = 64
_SLOTS_BEFORE_REUSE = abi.FIRST_OWN + 512
_SLOT_TASKS = struct.Struct("=I12xI")  # segment and tasks


class Harvest:
    """Fills a Trace from the maps."""

    def __init__(self, probe: Probe, trace: Trace) -> None:
        self._probe = probe
        self._trace = trace
        self._ring = Ring(probe.map("events"))
        page = os.sysconf("SC_PAGE_SIZE")
        size = (Slot.SIZE * abi.SLOTS + page - 1) // page * page
        self._slots: mmap.mmap = probe.map("slots").map_memory(size=size)
        self._open: dict[int, int] = {}  # slot by segment, of those that still count
        self._taken: dict[int, tuple[int, ...]] = {}  # by segment: counters as last read
        self._returned: list[int] = []  # slots that closed segments had
        self._readers = {
            EventKind.EXEC: self._begin,
            EventKind.FORK: self._begin,
            EventKind.FILTER: self._begin,
            EventKind.ROOT: self._begin,
            EventKind.JOINED: self._begin,
            EventKind.MEMBER: self._begin,
            EventKind.CLOSED: self._close,
            EventKind.EXIT: self._end,
            EventKind.SUSPENSION: self._suspend,
            EventKind.SOCKET_WRITE: self._say,
            EventKind.DENIAL: self._deny,
        }
        self.listens = False
        """Whether what is written to sockets is of use: it ties containers to the command."""
        self._closer: Closer | None = None

    def look_closer(self, sights: Sights) -> None:
        """Take from now on also what the programs of the closer look see."""
        from seclatch.recording.backends.bpf.detail_mode import Closer

        self.listens = True  # by it a client tells which engine it asks, also out of sight
        self._closer = Closer(self._probe, sights)

    def collect(self) -> None:
        """Take all events that are there, and the counters of segments that have ended."""
        for event in self._ring.read():
            self._readers[EventKind(WORD.unpack_from(event)[0])](event)
        if self._closer:
            self._closer.collect()

    def catch_up(self) -> None:
        """Bring the trace up to now, also for segments that go on counting."""
        self.collect()
        for segment, slot in self._open.items():
            self._take(segment, slot)
        self._take_rare()
        self._trace.lost = self._read_lost()

    def finish(self) -> None:
        """Take everything; once, after detaching."""
        self.catch_up()
        for segment, slot in self._open.items():
            self._clear(segment, slot)
            if self._closer:
                self._closer.close(segment, slot)
        self._take_unknown()

    def register(self, daemon: FollowedDaemon) -> None:
        """Add an engine process that was found running; listen to what clients ask it."""
        facts = TaskFacts(comm=daemon.comm, uid=daemon.uid)
        segment = Segment(
            daemon.number,
            EventKind.FOUND,
            0,
            0,
            daemon.time,
            daemon.pid,
            facts,
            daemon.exe,
            daemon.argv,
        )
        self._trace.begin(segment, daemon.pid)
        self._open[segment.id] = daemon.number
        self.listens = True

    def _begin(self, event: bytes) -> None:
        kind, tid, time, number, parent, slot, tgid, _ = HEADER.unpack_from(event)
        facts = _facts(event)
        segment = Segment(number, EventKind(kind), parent, 0, time, tid, facts)
        if kind == EventKind.EXEC:
            segment.file = _text(event[Event.FILE : Event.FILE + Event.FILE_SIZE])
            segment.argv, segment.argv_cut = _argv(event)
        elif kind == EventKind.MEMBER:
            read_running_image(segment, *struct.unpack_from("=II", event, Event.SEEN_PID))
        self._trace.begin(segment, tgid)
        if slot != abi.OVERFLOW_SLOT:
            self._open[number] = slot

    def _close(self, event: bytes) -> None:
        _, _, _, segment, _, slot, _, _ = HEADER.unpack_from(event)
        self._open.pop(segment, None)
        self._take(segment, slot)
        self._trace.close(segment)
        self._clear(segment, slot)
        if self._closer:
            self._closer.close(segment, slot)
        self._returned.append(slot)
        if self._given().stop > _SLOTS_BEFORE_REUSE:
            self._reuse_slots()

    def _reuse_slots(self) -> None:
        """Return slots to the kernel programs: a call of bpf(2) each, which few recordings need."""
        for slot in self._returned:
            self._probe.map("free_slots").push(WORD.pack(slot))
        self._returned.clear()

    def _take(self, segment: int, slot: int) -> None:
        """Add what a slot has counted since it was last read.

        Its counters are cleared only when nobody counts any more: here a count could get lost.
        """
        if segment in self._trace.dropped:
            return
        found = self._trace.segments.get(segment)
        calls = found.calls if found else self._trace.stray
        now = _COUNTERS.unpack_from(self._slots, slot * Slot.SIZE + Slot.COUNTS)
        before = self._taken.get(segment, _ZEROS)
        for key in compress(_KEYS, now):
            number = key[1]
            calls[key] = calls.get(key, 0) + now[number] - before[number]
        self._taken[segment] = now

    def _clear(self, segment: int, slot: int) -> None:
        begin = slot * Slot.SIZE + Slot.COUNTS
        self._slots[begin : begin + _COUNTERS.size] = _NOTHING
        self._taken.pop(segment, None)

    def _take_unknown(self) -> None:
        """Take counters without a segment: the overflow slot, and slots with a lost event.

        A slot of a segment that was lost and closed had a CLOSED event, or it was lost too; either
        way its counters are in its memory.
        """
        for slot in (abi.OVERFLOW_SLOT, *self._given()):
            begin = slot * Slot.SIZE + Slot.COUNTS
            if self._slots[begin : begin + _COUNTERS.size] != _NOTHING:
                self._take(WORD.unpack_from(self._slots, slot * Slot.SIZE)[0], slot)

    def _take_rare(self) -> None:
        """Take the counters that have a map entry each: they are totals, not additions."""
        stray: Counter[CallKey] = Counter()
        for (number, call, mode, errno), count in self._rows(self._probe.map("rare"), RARE_KEY):
            found = self._trace.segments.get(number)
            compat = bool(mode & Mode.COMPAT)
            if found is None:
                stray[compat, call] += count
            elif mode & Mode.INJECTED:
                found.injected[compat, call] = count
            elif mode & Mode.DENIED:
                found.denied[compat, call, errno] = count
            else:
                found.calls[compat, call] = count
        self._trace.stray_rare = stray
        for (number, *argument), count in self._rows(self._probe.map("arguments"), ARGUMENT_KEY):
            if found := self._trace.segments.get(number):
                call, index, value = argument
                kept = found.denied_arguments if index & DENIED_ARGUMENT else found.arguments
                kept[call, index & ~DENIED_ARGUMENT, value] = count

    def _rows(self, counters: Map, key: struct.Struct) -> Iterator[tuple[tuple[int, ...], int]]:
        """Yield each counter with the fields of its key, of which the first is the segment.

        Rows of dropped segments are deleted, to make room.
        """
        for row, value in counters.items():
            fields = key.unpack(row)
            if fields[0] in self._trace.dropped:
                counters.delete(row)
            else:
                yield fields, COUNT.unpack(value)[0]

    def _end(self, event: bytes) -> None:
        _, _, time, segment, _, _, _, _ = HEADER.unpack_from(event)
        self._trace.end(segment, time, WORD.unpack_from(event, Event.CODE)[0])

    def _suspend(self, event: bytes) -> None:
        _, tid, time, segment, _, _, _, _ = HEADER.unpack_from(event)
        lifted = bool(WORD.unpack_from(event, Event.FILTERS)[0])
        self._trace.suspensions.append(SeccompSuspension(time, segment, tid, lifted))
        self._trace.bulk += 1

    def _deny(self, event: bytes) -> None:
        _, tid, time, segment, _, _, _, _ = HEADER.unpack_from(event)
        number, mode, errno = DENIAL.unpack_from(event, Event.NUMBER)
        call = (bool(mode & Mode.COMPAT), number)
        self._trace.denials.append(FirstDenial(time, segment, tid, call, errno))
        self._trace.bulk += 1

    def _say(self, event: bytes) -> None:
        _, _, _, segment, _, _, _, _ = HEADER.unpack_from(event)
        length = WORD.unpack_from(event, Event.TEXT_LENGTH)[0]
        found = self._trace.segments.get(segment)
        if self.listens and found and len(found.said) < _MAX_SAID:
            if not found.said:
                self._trace.socket_writers.append(segment)
            found.said.append(event[Event.TEXT : Event.TEXT + min(length, Event.TEXT_SIZE)])
            self._trace.bulk += 1

    def has_tasks(self, processes: set[int]) -> bool:
        """Return whether one of these processes, or one with a lost begin, has a live thread."""
        found = (self._trace.segments.get(segment) for segment in self._list_inhabited())
        return any(each is None or each.process in processes for each in found)

    def _list_inhabited(self) -> Iterator[int]:
        """Yield the segments that have a task; the slots' counts of them are never lost."""
        for slot in (abi.OVERFLOW_SLOT, *self._given()):
            segment, tasks = _SLOT_TASKS.unpack_from(self._slots, slot * Slot.SIZE)
            if tasks:
                yield segment

    def _given(self) -> range:
        """Return the slots that the kernel programs have given to segments."""
        given = self._probe.read_control()[Control.NEXT_SLOT // 8]
        return range(abi.FIRST_OWN, min(given, abi.SLOTS))

    def _read_lost(self) -> TraceLoss:
        _, events, slots, rare, arguments, tasks, *_ = self._probe.read_control()
        return TraceLoss(events, slots + tasks, rare, arguments)


def _facts(event: bytes) -> TaskFacts:
    filters, suspended, *numbers, comm = FACTS.unpack_from(event, Event.FILTERS)
    uid, gid, euid, egid, mounts, pids, users, local = numbers[:8]
    net, ipc, uts, cgroup, seccomp, strict, root = numbers[8:15]
    return TaskFacts(
        filters=filters,
        suspended=bool(suspended),
        uid=uid,
        gid=gid,
        mounts=mounts,
        pids=pids,
        users=users,
        local_pid=local,
        root=root,
        comm=_text(comm),
        euid=euid,
        egid=egid,
        net=net,
        ipc=ipc,
        uts=uts,
        cgroup=cgroup,
        seccomp=seccomp,
        no_new_privs=bool(strict),
        capabilities=tuple(numbers[15:]),
    )


def _text(content: bytes) -> str:
    return content.split(b"\0", 1)[0].decode("utf-8", "backslashreplace")


def _argv(event: bytes) -> tuple[tuple[str, ...], bool]:
    """Return the arguments, and whether there were more than fit."""
    size, fit = struct.unpack_from("=II", event, Event.ARGS_SIZE)
    content = event[Event.ARGS : Event.ARGS + min(fit, Event.ARGS_MAX)]
    words = content.removesuffix(b"\0").split(b"\0") if content else []
    return tuple(word.decode("utf-8", "backslashreplace") for word in words), size > fit
