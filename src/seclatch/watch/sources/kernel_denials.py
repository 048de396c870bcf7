"""Denials that the kernel programs counted, with the details that they sent."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass

from seclatch.model.arch import Arch
from seclatch.model.seen_denial import CallDetails, SeenAnswer, SeenDenial, SeenProcess
from seclatch.recording.backends.bpf.event_ring import Ring
from seclatch.system.bpf import Map
from seclatch.watch.sources import watch_abi
from seclatch.watch.sources.filter_copies import FilterCopies
from seclatch.watch.sources.watch_abi import COUNT, EVENT, KEY, DenialMode, Watcher
from seclatch.watch.sources.watch_programs import WatchPrograms

_IDLE_EPOCHS = 10
"""A key that was not counted for so long is dropped from the kernel's map."""


@dataclass(slots=True)
class _Counted:
    """What is known of a key: how many were reported, when it was last counted, its details."""

    reported: int = 0
    active: int = 0
    first: int = 0
    details: CallDetails | None = None


class KernelDenials:
    """Reads what the programs have counted and sent; bounded by the kernel's map."""

    def __init__(self, programs: WatchPrograms) -> None:
        self._programs = programs
        self._events = Ring(programs.map("denials"), watch_abi.DENIAL_RING)
        self._copies = Ring(programs.map("copies"), watch_abi.COPY_RING)
        self._denied = programs.map("denied")
        self._place = programs.find_watcher()
        self._filters = FilterCopies()
        self._known: dict[bytes, _Counted] = {}
        self._epoch = 0
        self._uncounted = 0
        self._clock = 0
        self._native = Arch.native()
        self._begin_epoch()

    def fileno(self) -> int:
        """Return the descriptor that is readable when a denial was sent."""
        return self._programs.map("denials").fd

    def take_events(self) -> list[tuple[SeenProcess, CallDetails]]:
        """Take the details that were sent; return them with the processes that they are of."""
        # the kernel sends a filter's copy before the event: so the copy of each of these has come
        events = list(self._events.read())
        for copy in self._copies.read():
            self._filters.add(copy)
        found = []
        for event in events:
            process = _read_process(event)
            counted = self._known.setdefault(event[: KEY.size], _Counted())
            counted.active = self._epoch
            if counted.details is None:
                counted.first = EVENT.unpack_from(event, KEY.size)[0]
                counted.details = self._read_details(event, process)
                found.append((process, counted.details))
        return found

    def take_counts(self) -> list[SeenDenial]:
        """Take what was counted since the last time, and begin a new epoch."""
        self.take_events()
        self._clock = time.time_ns() - time.monotonic_ns()  # the wall clock may have been set
        found = []
        for key, value in self._denied.items():
            counted = self._known.setdefault(key, _Counted())
            count, last, _ = COUNT.unpack(value)
            if count > counted.reported:
                found.append(self._make_denial(key, counted, count - counted.reported, last))
                counted.reported, counted.active = count, self._epoch
                counted.first, counted.details = 0, None
        self._drop_idle()
        self._begin_epoch()
        return found

    def take_uncounted(self) -> int:
        """Return how many denials since the last time found no room to be counted by call."""
        total = self._read_global(Watcher.UNCOUNTED)
        new, self._uncounted = total - self._uncounted, total
        return new

    def close(self) -> None:
        """Detach the programs."""
        self._programs.close()

    def _make_denial(self, key: bytes, counted: _Counted, count: int, last: int) -> SeenDenial:
        _, _, number, mode, answer, error, _, _ = KEY.unpack(key)
        return SeenDenial(
            process=_read_process(key),
            arch=self._find_arch(number, mode),
            number=number,
            answer=SeenAnswer(answer),
            error=error,
            count=count,
            first=(counted.first or last) + self._clock,
            last=last + self._clock,
            source="ebpf",
            details=counted.details,
            unsure=bool(mode & DenialMode.UNSURE),
        )

    def _find_arch(self, number: int, mode: int) -> Arch:
        if mode & DenialMode.COMPAT:
            return Arch.X86 if self._native is Arch.X86_64 else Arch.ARM
        is_x32 = self._native is Arch.X86_64 and number & Arch.X32.offset
        return Arch.X32 if is_x32 and number < 1 << 31 else self._native

    def _read_details(self, event: bytes, process: SeenProcess) -> CallDetails:
        fields = EVENT.unpack_from(event, KEY.size)
        reaper, tid, uid, pids, origin, outside = fields[10:16]
        length = max(fields[17] - 1, 0)
        return CallDetails(
            tid=tid,
            uid=uid,
            comm=_decode(fields[19].split(b"\0")[0]),
            program=_decode(fields[20].split(b"\0")[0]),
            args=fields[2:8],
            pointer=fields[1],
            text=_decode(fields[21][:length]),
            pids=pids,
            reaper=reaper,
            origin=origin,
            outside=outside,
            layers=self._filters.find_layers(process, fields[8]),
        )

    def _drop_idle(self) -> None:
        idle = [key for key, one in self._known.items() if one.active <= self._epoch - _IDLE_EPOCHS]
        for key in idle:
            del self._known[key]
            _delete(self._denied, key)

    def _begin_epoch(self) -> None:
        self._epoch += 1
        place = self._place + Watcher.EPOCH
        self._programs.globals[place : place + 8] = self._epoch.to_bytes(8, "little")

    def _read_global(self, offset: int) -> int:
        place = self._place + offset
        return int.from_bytes(self._programs.globals[place : place + 8], "little")


def _delete(denied: Map, key: bytes) -> None:
    """Delete a key; an event may have come of one that the full map did not take."""
    with contextlib.suppress(FileNotFoundError):
        denied.delete(key)


def _read_process(key: bytes) -> SeenProcess:
    started, pid = KEY.unpack_from(key)[:2]
    return SeenProcess(pid, started)


def _decode(text: bytes) -> str:
    return text.decode("utf-8", "backslashreplace")
