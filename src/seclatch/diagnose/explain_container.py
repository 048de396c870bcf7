"""Explain a container that runs already, or the next one on this host that fails.

Nothing is started here. A container that runs is followed from now on, with its exec sessions,
until it ends. For the next one that fails, starts by daemons are followed, and by any program
that calls a runtime to `create`, until the first process of one has ended with a failure.
"""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from seclatch.diagnose.build_explanation import build_explanation
from seclatch.diagnose.evidence.container_bundles import BundleReader
from seclatch.diagnose.evidence.engine_names import EngineNameReader
from seclatch.diagnose.evidence.run_evidence import (
    RunEvidence,
    RunningContainer,
    has_failed,
    read_exit_code,
)
from seclatch.diagnose.evidence.script_texts import ScriptReader
from seclatch.model.explanation import Explanation
from seclatch.model.recording.recording import Recording
from seclatch.recording.attribution.attribution import find_session_family, restrict_trace
from seclatch.recording.backends.backend import RecordingBackend
from seclatch.recording.backends.bpf.bpf_backend import Ebpf
from seclatch.recording.backends.bpf.container_scope import ContainerScope, watch_container
from seclatch.recording.backends.bpf.detail_events import Sights
from seclatch.recording.ready.ready_condition import EngineContainer
from seclatch.recording.record_container import ContainerTarget, record_container
from seclatch.recording.recorder import (
    BLOCKED_SIGNALS,
    RecordOptions,
    TraceRecorder,
    restore_signals,
)
from seclatch.recording.trace.assign_stages import EnteredSession, assign_stages
from seclatch.recording.trace.run_metadata import RunMetadata
from seclatch.recording.trace.trace import Trace, TracedProcess

_INTERVAL = 0.003
_LOOK_INTERVAL = 0.1
_GRACE_SECONDS = 0.5
"""Seconds after a container's end in which the last messages of its shim and engine may come."""

_ASKED_TO_END = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}


@dataclass
class _Watched:
    """What is read while a trace grows; `begin` is called once all is attached."""

    begin: Callable[[], None]
    names: EngineNameReader | None = None
    sights: Sights = field(default_factory=Sights)
    bundles: BundleReader = field(default_factory=BundleReader)
    scripts: ScriptReader = field(default_factory=ScriptReader)
    traces: list[Trace] = field(default_factory=list)

    def watch(self, trace: Trace) -> None:
        """Process what is new."""
        if not self.traces:
            self.traces.append(trace)
            self.begin()
        self.bundles.watch(trace)
        if self.names:
            self.names.watch(trace)
        self.scripts.watch(trace)

    def make_options(self, seconds: float | None, notify: Callable[[str], None]) -> RecordOptions:
        """Return the options of the recording."""
        return RecordOptions(
            seconds,
            notify=notify,
            sights=self.sights,
            watch=self.watch,
            interval=_INTERVAL,
            query_images=False,
        )


def explain_container(
    target: ContainerTarget,
    running: RunningContainer,
    seconds: float | None,
    notify: Callable[[str], None],
) -> tuple[Explanation, Recording]:
    """Explain what a running container does from now on, until it ends. Raises SeclatchError."""
    said = f"following {target.name} until it ends; ctrl-C ends this, and the container goes on"
    watched = _Watched(lambda: notify(said))
    recording = record_container(target, watched.make_options(seconds, notify))
    trace = watched.traces[0]
    first = next(iter(trace.processes.values()), None)
    status = read_exit_code(first) if first and first.ended else 0
    evidence = RunEvidence(
        (),
        status,
        trace,
        assign_stages(trace),
        watched.sights,
        watched.bundles,
        scripts=watched.scripts,
        running=running,
    )
    return build_explanation(evidence), recording


def explain_next(
    name: str,
    find_names: Callable[[str], frozenset[str]],
    seconds: float | None,
    notify: Callable[[str], None],
) -> tuple[Explanation | None, Recording]:
    """Explain the next container that fails; None if none did until the end of the recording.

    `name`: only one of this name, id or beginning of an id; `find_names` returns the names of a
    running one, by its id. Raises SeclatchError.
    """
    watched = _Watched(lambda: notify("waiting for a container that fails; ctrl-C ends"))
    names = watched.names = EngineNameReader(watched.bundles)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, BLOCKED_SIGNALS)
    try:
        with contextlib.closing(Ebpf(watched.sights, by_words=True)) as backend:
            source = _NextFailure(backend, name, find_names, watched.bundles, names)
            options = watched.make_options(seconds, notify)
            recording = TraceRecorder(backend, source, options).record()
    finally:
        restore_signals(mask, RecordOptions())
    if source.found is None:
        return None, recording
    notify(f"the container {source.label} failed")
    trace = source.select_related(watched.traces[0])
    evidence = RunEvidence(
        (),
        read_exit_code(source.found) or 1,
        trace,
        assign_stages(trace),
        watched.sights,
        watched.bundles,
        scripts=watched.scripts,
    )
    return build_explanation(evidence), recording


class _NextFailure:
    """Follows all container starts on this host until one has failed."""

    def __init__(
        self,
        backend: Ebpf,
        name: str,
        find_names: Callable[[str], frozenset[str]],
        bundles: BundleReader,
        given: EngineNameReader,
    ) -> None:
        self._backend = backend
        self._name = name
        self._find_names = find_names
        self._bundles = bundles
        self._given = given
        self._names: dict[str, frozenset[str]] = {}
        self._looked = 0
        self._next_look = 0.0
        self._found_at = 0.0
        self._kept: set[int] = set()
        self.found: TracedProcess | None = None
        self.label = ""

    def start(self, backend: RecordingBackend) -> None:
        """Follow the daemons, and each program that is exec'd with the word `create`."""
        backend.follow_daemons()
        watch_container(self._backend.probe, ContainerScope(word="create"))

    def update(self, trace: Trace, options: RecordOptions) -> None:
        """Find a container that started during the recording and failed by its first process."""
        now = time.monotonic()
        if self.found or now < self._next_look:
            return
        self._next_look = now + _LOOK_INTERVAL
        staging = assign_stages(trace)
        for session in staging.sessions:
            if session.runtime and not session.joined and self._is_wanted(trace, session):
                process = trace.processes[trace.segments[session.entry].process]
                if process.ended and has_failed(process) and not _was_asked_to_end(process):
                    self.found, self._found_at = process, now
                    self.label = _describe(trace, session, self._names)
                    self._kept = find_session_family(trace, session)
                    return

    def find_living(self, trace: Trace) -> set[int]:
        """Return none: the recording ends with the failure."""
        return set()

    def is_pending(self, backend: RecordingBackend) -> bool:
        """Return whether to wait."""
        return self.found is None or time.monotonic() - self._found_at < _GRACE_SECONDS

    def handle_signal(self, signal_: int, sender: int) -> bool:
        """End the recording."""
        return True

    def select_related(self, trace: Trace) -> Trace:
        """Return the trace of the container that failed; nothing if none did."""
        return restrict_trace(trace, self._kept)

    def list_containers(self, trace: Trace) -> tuple[EngineContainer, ...]:
        """Return none: no engine is asked about it."""
        return ()

    def describe_run(
        self, started: datetime, began: int, ended: int, complete: bool
    ) -> RunMetadata:
        """Return the metadata."""
        return RunMetadata((), started, began, ended, complete)

    def _is_wanted(self, trace: Trace, session: EnteredSession) -> bool:
        """Return whether a session's container has the name.

        Engines are asked while it runs, and once. A short one has ended by then: what was read
        while its runtime made it counts, too.
        """
        identifier = _find_id(trace, session)
        if not self._names.get(identifier):
            bundle = self._bundles.found.get(session.runtime)
            own = bundle.names if bundle else frozenset()
            given = self._given.found.get(identifier, frozenset())
            self._names[identifier] = self._find_names(identifier) | own | given
        by_id = len(self._name) > 2 and identifier.startswith(self._name)
        return not self._name or by_id or self._name in self._names[identifier]


def _was_asked_to_end(process: TracedProcess) -> bool:
    """Return whether a stop ended it: that is no failure."""
    return read_exit_code(process) in {128 + number for number in _ASKED_TO_END}


def _find_id(trace: Trace, session: EnteredSession) -> str:
    """Return the container's id: the last argument of its runtime."""
    words = trace.segments[session.runtime].argv
    return words[-1] if len(words) > 1 else ""


def _describe(trace: Trace, session: EnteredSession, names: dict[str, frozenset[str]]) -> str:
    identifier = _find_id(trace, session)
    known = ", ".join(sorted(names.get(identifier, ())))
    return f"{known} ({identifier[:12]})" if known else identifier[:64]
