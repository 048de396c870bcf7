"""The containers that are being recorded, and what the kernel programs counted of each.

A container's failure ends its own recording at most.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import replace

from seclatch.recording.annotated.container_recording import ContainerRecording
from seclatch.recording.annotated.recorder_log import RecorderLog
from seclatch.recording.annotated.running_state import RunningState, remove_state, write_state
from seclatch.recording.annotated.spool import RecordingSpool
from seclatch.recording.backends.bpf.shared_backend import SharedEbpf

_CHECK_EVERY, _SETTLE_EVERY = 5.0, 1.0
_MAX_BULK = 100_000
"""Of all traces together, some 500 MB: at this size the largest recording ends."""
_MAX_SEGMENTS = 1024
"""A container with more processes at the same time would take the slots of all others."""


class RecordedContainers:
    """Containers by number; those whose recording has ended stay until it is written."""

    def __init__(self, spool: RecordingSpool, backend: SharedEbpf, log: RecorderLog) -> None:
        self._spool, self._backend, self._log = spool, backend, log
        self._by_number: dict[int, ContainerRecording] = {}
        self._numbers = 0
        self._next_check = self._next_settling = 0.0

    def __len__(self) -> int:
        return len(self._by_number)

    def __contains__(self, recording: ContainerRecording) -> bool:
        return recording.number in self._by_number

    def list_all(self) -> list[ContainerRecording]:
        """Return all, as they are now: work on one may remove it."""
        return list(self._by_number.values())

    def find(self, name: str) -> list[ContainerRecording]:
        """Return those of this name, or whose id begins with it."""
        return [
            each
            for each in self._by_number.values()
            if name and (each.request.name == name or each.request.identifier.startswith(name))
        ]

    def take_number(self) -> int:
        """Return the number of the next recording."""
        self._numbers += 1
        return self._numbers

    def add(self, recording: ContainerRecording) -> None:
        """Add a container that the kernel programs watch."""
        self._by_number[recording.number] = recording

    def forget(self, recording: ContainerRecording) -> None:
        """Remove a container: its recording is written, or has failed."""
        self._by_number.pop(recording.number, None)
        recording.release()
        remove_state(self._spool.path, recording.path.name)
        with contextlib.suppress(OSError):
            self._backend.forget(recording.number, recording.scope)

    def update(self) -> None:
        """Take what the kernel programs have left, and do what is due."""
        harvest = self._backend.harvest
        harvest.collect()
        touched, harvest.touched = harvest.touched, set()
        for recording in self.list_all():
            if recording.number in touched or not recording.sessions:
                recording.changed |= recording.number in touched
                self._guarded(recording, self._update)
        if time.monotonic() >= self._next_settling:
            self._settle_processes()
        if time.monotonic() >= self._next_check:
            self._check_limits()

    def _guarded(
        self, recording: ContainerRecording, work: Callable[[ContainerRecording], None]
    ) -> None:
        """Do work on one recording, whose failure must not end the others."""
        try:
            work(recording)
        except Exception as error:
            self._log.write(
                f"{recording.path.name}: the recording ends: {type(error).__name__}: {error}"
            )
            self.forget(recording)

    def _update(self, recording: ContainerRecording) -> None:
        entered = recording.sessions is not None
        recording.update(self._backend)
        if recording.sessions is not None and not entered:
            self.write_state(recording)
        if not recording.ended and not recording.find_living():
            recording.ended = True
            self._backend.harvest.catch_up()
            _finish_soon(recording)

    def _settle_processes(self) -> None:
        """Mark the processes as settled that have begun after a ready mark and started since."""
        self._next_settling = time.monotonic() + _SETTLE_EVERY
        marked = [each for each in self._going() if each.is_unsettled()]
        if marked:
            self._backend.harvest.catch_up()
        for recording in marked:
            recording.settle()

    def _check_limits(self) -> None:
        """End recordings that are too large, and those whose last events were lost."""
        self._next_check = time.monotonic() + _CHECK_EVERY
        counts = self._backend.harvest.count_open()
        for recording in self.list_all():
            if counts.get(recording.number, 0) > _MAX_SEGMENTS:
                self._cut_off(recording, f"more than {_MAX_SEGMENTS} processes at the same time")
            elif recording.trace.lost.events and not self._backend.harvest.lives(
                recording.trace, recording.find_living()
            ):
                _finish_soon(recording)
        while sum(each.trace.bulk for each in self._going()) > _MAX_BULK:
            largest = max(self._going(), key=lambda each: each.trace.bulk)
            self._cut_off(largest, f"it has {largest.trace.bulk:,} processes and execs")

    def _going(self) -> list[ContainerRecording]:
        return [each for each in self._by_number.values() if not each.ended]

    def _cut_off(self, recording: ContainerRecording, reason: str) -> None:
        """End a recording while its container goes on: what it does later counts as lost."""
        self._log.write(
            f"{recording.path.name}: the recording ends, the container goes on: {reason}"
        )
        self._backend.harvest.catch_up()
        lost = recording.trace.lost
        living = len(recording.find_living())
        recording.trace.lost = replace(lost, processes=lost.processes + living)
        self._backend.forget(recording.number, recording.scope)
        self._backend.release()
        _finish_soon(recording)

    def mark(self, name: str, condition: str) -> list[ContainerRecording]:
        """Begin the running phase of the recordings of this name or id, and return them."""
        self._backend.harvest.catch_up()
        meant = self.find(name)
        for recording in meant:
            recording.mark(condition)
        return meant

    def write_state(self, recording: ContainerRecording) -> None:
        """Write what the next recorder must know to continue this recording."""
        state = RunningState(
            file=recording.path.name,
            name=recording.request.name,
            identifier=recording.request.identifier,
            identity=recording.identity,
            started=recording.started,
            pod=recording.request.pod,
            image=recording.image,
        )
        try:
            write_state(self._spool.path, state)
        except OSError as error:  # a full disk: the recording goes on, but no restart continues it
            self._log.write(f"{recording.path.name}: writing its state: {error.strerror}")


def _finish_soon(recording: ContainerRecording) -> None:
    recording.ended = True
    recording.next_save = 0.0
    recording.changed = True
