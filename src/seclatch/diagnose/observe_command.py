"""Run a command in the recorder's detail mode, and return the evidence of the run."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import PurePosixPath

from seclatch.diagnose.evidence.build_step import add_failed_step
from seclatch.diagnose.evidence.container_bundles import BundleReader
from seclatch.diagnose.evidence.run_evidence import RunEvidence
from seclatch.diagnose.evidence.script_texts import ScriptReader
from seclatch.diagnose.evidence.stages_by_name import assign_by_name
from seclatch.model.recording.recording import Recording
from seclatch.recording.attribution.attribution import drop_unrelated
from seclatch.recording.backends.bpf.detail_events import Sights, What
from seclatch.recording.record_command import record_command
from seclatch.recording.recorder import RecordOptions
from seclatch.recording.trace.assign_stages import assign_stages
from seclatch.recording.trace.event_kinds import EventKind
from seclatch.recording.trace.trace import Segment, Trace

UPDATE_INTERVAL = 0.003
"""Seconds: crun is done in ten milliseconds, and its bundle may be removed right after."""

_HANG_SECONDS = 5
"""Seconds without any call after a denied one, after which a runtime seems to hang."""


class HangWatch:
    """Warns that a runtime hangs: with some calls denied runc waits for ever, or spins."""

    def __init__(self, sights: Sights, notify: Callable[[str], None]) -> None:
        self._sights = sights
        self._notify = notify
        self._next = time.monotonic() + _HANG_SECONDS
        self._warned = False

    def watch(self, trace: Trace) -> None:
        """Look for a hanging runtime once a second; warn once."""
        if self._warned or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + 1
        oldest = time.monotonic_ns() - _HANG_SECONDS * 1_000_000_000
        for seen in self._sights.calls:
            segment = trace.segments.get(seen.segment)
            if seen.what is not What.REFUSED or seen.time > oldest or segment is None:
                continue
            last = trace.processes[segment.process].segments[-1]
            if segment.process in trace.living and last == seen.segment and _is_init(segment):
                self._warned = True
                self._notify("the runtime seems to hang after a denied call; ctrl-C twice ends it")
                return


def _is_init(segment: Segment) -> bool:
    return segment.kind == EventKind.FILTER


def observe_command(
    args: tuple[str, ...], options: RecordOptions, shown: tuple[str, ...] | None = None
) -> tuple[RunEvidence, Recording]:
    """Run a command in detail mode; `options` without sights. Raises SeclatchError."""
    sights, bundles, scripts = Sights(), BundleReader(), ScriptReader()
    seen: list[Trace] = []
    patience = HangWatch(sights, options.notify)

    def watch(trace: Trace) -> None:
        if not seen:
            seen.append(trace)
        bundles.watch(trace)
        scripts.watch(trace)
        patience.watch(trace)
        options.watch(trace)

    status, recording = record_command(args, options._replace(sights=sights, watch=watch))
    trace = drop_unrelated(seen[0])
    staging = assign_stages(trace)
    assign_by_name(trace, staging)
    evidence = RunEvidence(
        shown or args, status, trace, staging, sights, bundles, _list_engines(seen[0]), scripts
    )
    return add_failed_step(evidence, seen[0]), recording


def _list_engines(trace: Trace) -> frozenset[str]:
    """Return the program names of all followed daemons, with or without work for the command."""
    found = (process.segments[0] for process in trace.processes.values() if process.found_running)
    return frozenset(PurePosixPath(trace.segments[segment].file).name for segment in found)
