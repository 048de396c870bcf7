"""The recording of one annotated container by the node's recorder.

It begins with the latch's front, before the runtime, and ends with the container. Once the
container's mount namespace is known, exec sessions that join it are recorded too.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from seclatch.model.recording.continue_recording import continue_recording
from seclatch.model.recording.origin import ContainerImage
from seclatch.model.recording.recording import Recording
from seclatch.recording.annotated.annotation import AnnotationRequest
from seclatch.recording.annotated.running_state import ContainerIdentity, identify_container
from seclatch.recording.attribution.attribution import restrict_trace
from seclatch.recording.attribution.exec_sessions import ExecSessions
from seclatch.recording.attribution.fold_sessions import SessionFolder
from seclatch.recording.backends.bpf.adopt_daemons import sees_host
from seclatch.recording.backends.bpf.container_scope import ContainerScope
from seclatch.recording.backends.bpf.shared_backend import SharedEbpf
from seclatch.recording.files import recording_file
from seclatch.recording.trace.assign_stages import find_entry
from seclatch.recording.trace.calls_in_flight import read_calls_in_flight
from seclatch.recording.trace.ready_mark import (
    CallInFlight,
    list_unsettled,
    mark_ready,
    settle_processes,
)
from seclatch.recording.trace.run_metadata import RunMetadata
from seclatch.recording.trace.summarize_trace import summarize_trace
from seclatch.recording.trace.trace import Segment, Trace


class FormerPart(NamedTuple):
    """The file that an earlier recorder left, b"" for none, and when its recording began."""

    content: bytes
    started: str


@dataclass(eq=False)
class ContainerRecording:
    """A container that is being recorded.

    `former`: what an earlier recorder wrote of it, compressed, for there may be many.
    `is_saving`: its file is being written, or will be; `save_again`: and once more after that,
    with this `complete`.
    """

    number: int
    request: AnnotationRequest
    path: Path
    scope: ContainerScope
    trace: Trace
    former: FormerPart | None = None
    image: ContainerImage | None = None
    image_is_pending: bool = False
    identity: ContainerIdentity | None = None
    next_save: float = 0.0
    is_saving: bool = False
    save_again: bool | None = None
    changed: bool = True
    ended: bool = False
    sessions: ExecSessions | None = None
    _started: datetime = field(default_factory=lambda: datetime.now(UTC))
    _began: int = field(default_factory=time.monotonic_ns)
    _folder: SessionFolder = field(default_factory=SessionFolder)
    _looked: int = 0
    _entry: Segment | None = None
    _held: int | None = None

    @property
    def started(self) -> str:
        """Return when the recording began, as it is in the file."""
        if self.former:
            return self.former.started
        return self._started.isoformat(timespec="milliseconds")

    def update(self, backend: SharedEbpf) -> None:
        """Process what is new in the trace. Raises OSError."""
        if self.sessions is not None:
            if self._folder.is_due(self.trace):
                backend.harvest.catch_up()  # a folded session keeps nothing in the maps
            self._folder.update(self.trace, self.sessions)
        elif self._held is not None and self._entry is not None:
            self._watch(backend, self._entry)
        elif self._entry is None and len(self.trace.segments) != self._looked:
            self._looked = len(self.trace.segments)
            self._entry = find_entry(self.trace)
            if self._entry is not None:
                self._hold(self._entry)

    def _hold(self, entry: Segment) -> None:
        """Keep the mount namespace open: the kernel would reuse its number for the next one.

        It is the container's own if its first process still lived after it was opened, which the
        events up to the next update show.
        """
        found = identify_container(entry.facts.mounts, self.trace.processes[entry.process].pid)
        if found is not None:
            self._held, self.identity = found

    def _watch(self, backend: SharedEbpf, entry: Segment) -> None:
        if entry.process not in self.trace.living:
            self.release()  # it has ended: no session can join it
            return
        mounts = entry.facts.mounts
        self.sessions = ExecSessions(mounts)
        # Not by pid 1 of its pid namespace any more: other containers may share it.
        self.scope = ContainerScope(mounts=mounts, word=self.request.identifier)
        backend.enter(self.number, self.scope)

    def resume(self, held: int, identity: ContainerIdentity) -> None:
        """Record a container that was found running, by its held mount namespace."""
        self._held, self.identity = held, identity
        self.sessions = ExecSessions(identity.mounts)

    def mark(self, condition: str) -> None:
        """Begin the running phase; the counters must be up to date."""
        mark_ready(self.trace, time.monotonic_ns(), condition, self._list_calls_in_flight())

    def is_unsettled(self) -> bool:
        """Return whether processes have started since the ready mark that are not settled yet."""
        return bool(self.trace.ready and list_unsettled(self.trace, time.monotonic_ns()))

    def settle(self) -> None:
        """Mark those processes as settled; the counters must be up to date."""
        started = list_unsettled(self.trace, time.monotonic_ns())
        settle_processes(self.trace, started, self._list_calls_in_flight())

    def _list_calls_in_flight(self) -> Iterable[CallInFlight]:
        return read_calls_in_flight(self.trace) if sees_host() else ()

    def find_living(self) -> set[int]:
        """Return all living processes of it, and the runtimes of its sessions."""
        return self.trace.living - self._find_unrelated() if self.trace.living else set()

    def _find_unrelated(self) -> set[int]:
        sessions = self.sessions or ExecSessions()
        sessions.update(self.trace)
        if self.former is None:
            sessions.add_runtime_of(self.trace, 0)
        return sessions.find_unrelated(self.trace)

    def make_recording(self, *, complete: bool) -> Recording:
        """Return the recording so far, with what an earlier recorder wrote."""
        trace = self.trace
        if unrelated := self._find_unrelated():
            trace = restrict_trace(trace, trace.processes.keys() - unrelated)
        run = RunMetadata(
            (),
            self._started,
            self._began,
            time.monotonic_ns(),
            complete,
            container=self.request.identifier if self.former else "",
            image=self.image,
            pod=self.request.pod,
        )
        recording = summarize_trace(trace, run)
        if self.former is None:
            return recording
        return continue_recording(self._read_former(self.former, recording), recording)

    def _read_former(self, former: FormerPart, later: Recording) -> Recording:
        if former.content:
            content = recording_file.unpack(self.path, former.content)
            return recording_file.decode_recording(str(self.path), content)
        # It ended before it wrote anything.
        return Recording(
            seclatch=later.seclatch,
            complete=False,
            commands=[],
            started=former.started,
            duration=0.0,
            hosts=[],
            runtimes=[],
            containers=[],
            sessions=[],
            processes=[],
            events=[],
            calls=[],
            denials=[],
            arguments=[],
        )

    def release(self) -> None:
        """Close the held namespace."""
        if self._held is not None:
            with contextlib.suppress(OSError):
                os.close(self._held)
            self._held = None
