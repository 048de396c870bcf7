"""Split the trace of a test suite into a recording for each container that it started."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import TracebackType

import msgspec

from seclatch.model.recording.origin import ContainerImage
from seclatch.model.recording.recording import RecordedContainer, Recording
from seclatch.process.container_images import query_image
from seclatch.process.containers.membership import find_containers
from seclatch.process.process_entries import read_entries
from seclatch.recording.attribution.attribution import drop_unrelated, restrict_trace
from seclatch.recording.trace.assign_stages import EnteredSession, StageAssignment, assign_stages
from seclatch.recording.trace.run_metadata import RunMetadata
from seclatch.recording.trace.summarize_trace import summarize_trace
from seclatch.recording.trace.trace import Trace

_QUERY_SECONDS = 5.0
_QUERY_INTERVAL = 0.05


@dataclass(frozen=True, slots=True)
class SuiteContainer:
    """A container: what it did, the image ("" if unknown), and the tests that ran as it started.

    `started` is in ns of CLOCK_MONOTONIC.
    """

    name: str
    image: str
    started: int
    recording: Recording
    tests: tuple[str, ...] = ()


@dataclass
class SuiteTrace:
    """Watches a growing trace, and asks engines for images in a thread of its own.

    Engines take their time to answer, and the recorder must not wait.
    """

    _trace: Trace = field(default_factory=Trace)
    _began: int = field(default_factory=time.monotonic_ns)
    _looked: int = 0
    _images: dict[str, ContainerImage] = field(default_factory=dict)
    _asked: queue.SimpleQueue[str] = field(default_factory=queue.SimpleQueue)

    def __enter__(self) -> SuiteTrace:
        self._thread = threading.Thread(target=self._query_images, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._asked.put("")
        self._thread.join(_QUERY_SECONDS)

    def watch(self, trace: Trace) -> None:
        """Ask for the images of containers that a runtime has begun to start."""
        self._trace = trace
        for number in trace.starts[self._looked :]:
            segment = trace.segments.get(number)
            if segment and not segment.argv_cut and segment.argv[-1][:1] not in ("", "-"):
                self._asked.put(segment.argv[-1])
        self._looked = len(trace.starts)

    def _query_images(self) -> None:
        """Query the images of new containers until each is known, gone, or too old."""
        deadlines: dict[str, float] = {}
        while True:
            with contextlib.suppress(queue.Empty):
                while name := self._asked.get(timeout=_QUERY_INTERVAL if deadlines else None):
                    deadlines.setdefault(name, time.monotonic() + _QUERY_SECONDS)
                return
            entries = read_entries()
            monitors = find_containers(entries)
            for name in list(deadlines):
                monitor = monitors.get(name)
                image = query_image(monitor, name, entries) if monitor else None
                if image:
                    self._images[name] = image
                if image or not monitor or time.monotonic() > deadlines[name]:
                    del deadlines[name]

    def split(self, words: tuple[str, ...], whole: Recording) -> list[SuiteContainer]:
        """Make a recording of each container, with the runtimes that started and entered it."""
        trace = drop_unrelated(self._trace)
        staging = assign_stages(trace)
        first: dict[int, EnteredSession] = {}
        for session in staging.sessions:
            first.setdefault(session.container, session)
        run = RunMetadata(
            words,
            datetime.fromisoformat(whole.started),
            self._began,
            self._began + round(whole.duration * 1e9),
            complete=whole.complete,
        )
        by_id = {container.id: container for container in whole.containers}
        return [
            self._make_container(trace, staging, session, by_id[number], run)
            for number, session in first.items()
            if number in by_id
        ]

    def _make_container(
        self,
        trace: Trace,
        staging: StageAssignment,
        session: EnteredSession,
        known: RecordedContainer,
        run: RunMetadata,
    ) -> SuiteContainer:
        kept = set(find_processes(trace, staging, known.id))
        image = self._images.get(known.name)
        part = summarize_trace(restrict_trace(trace, kept), replace(run, image=image))
        containers = [
            msgspec.structs.replace(each, name=known.name, profile=known.profile)
            for each in part.containers
        ]
        return SuiteContainer(
            known.name,
            image.name if image else "",
            trace.segments[session.entry].time,
            msgspec.structs.replace(part, containers=containers),
        )


def find_processes(trace: Trace, staging: StageAssignment, container: int) -> Iterator[int]:
    """Yield the processes of a container, and of the runtimes that brought them there."""
    roots = {
        trace.segments[session.runtime or session.entry].process
        for session in staging.sessions
        if session.container == container
    }
    kept: set[int] = set()
    for number in sorted(trace.processes):  # parents before children
        if number in roots or trace.processes[number].parent in kept:
            kept.add(number)
            yield number
