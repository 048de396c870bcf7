"""The recorder of one annotated container, started by the latch's front before the runtime.

The front waits at most two seconds for the report that it is followed. So every exit of this
process must be quick, and no failure may reach the front: errors go to the spool's log (decision
0016).
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Thread

from seclatch.errors import SeclatchError
from seclatch.model.origin import ContainerImage
from seclatch.model.pod import PodContainer
from seclatch.model.recorder_limits import decode_limits
from seclatch.model.recording import Recording
from seclatch.output.printable_text import make_printable
from seclatch.recording.annotated.annotation import AnnotationRequest, read_annotation
from seclatch.recording.annotated.spool import RecordingSpool
from seclatch.recording.attribution.attribution import restrict_trace
from seclatch.recording.attribution.exec_sessions import ExecSessions
from seclatch.recording.attribution.fold_sessions import SessionFolder
from seclatch.recording.backends.backend import RecordingBackend
from seclatch.recording.backends.bpf.adopt_processes import adopt
from seclatch.recording.backends.bpf.bpf_backend import Ebpf
from seclatch.recording.backends.bpf.container_scope import ContainerScope, watch_container
from seclatch.recording.backends.bpf.loader import Probe
from seclatch.recording.files import recording_file
from seclatch.recording.ready.ready_condition import EngineContainer
from seclatch.recording.recorder import BLOCKED_SIGNALS, RecordOptions, TraceRecorder
from seclatch.recording.trace.assign_stages import find_entry
from seclatch.recording.trace.run_metadata import RunMetadata
from seclatch.recording.trace.trace import Segment, Trace
from seclatch.system import procfs
from seclatch.system.bpf import VerifierError

_READY, _DONE = b"1", b"0"  # recording; nothing to record, or the log has the reason
_SAVE_FIRST = 1.0  # so that a recorder which is killed leaves something
_SAVE_EVERY = 60.0
_ANSWER_SECONDS = 5.0
_INTERVAL = 0.05
_MAX_BULK = 100_000
"""Some 500 MB: a container that forks or execs for ever must not fill the host's memory."""


FindImage = Callable[[int, str], ContainerImage | None]
"""Returns the image of a container by the pid of its shim or monitor, and its id."""


def main(program: str, find_image: FindImage) -> int:
    """Record the container that argv names: the front's pid, bundle, configuration's name.

    With `--check` (`seclatch doctor`) return 0: all that a recording needs was imported and read.
    """
    os.umask(0o077)
    spool = RecordingSpool(decode_limits(Path(program).with_name("recorder.json").read_bytes()))
    if sys.argv[1:] == ["--check"]:
        return 0
    pipe = FrontPipe()
    pid, bundle, config = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    try:
        spool.require_private()
        request = read_annotation(bundle, config, procfs.read_argv(pid)[0][-1])
        os.chdir("/")
        if request is None:
            pipe.report(_DONE)
        else:
            record_to_spool(spool, request, Front(pid, pipe), find_image)
    except (OSError, SeclatchError, VerifierError) as error:
        remedy = getattr(error, "remedy", "")
        spool.log(make_printable(f"not recorded: {error}" + (f"; {remedy}" if remedy else "")))
        pipe.report(_DONE)
        return 1
    return 0


@dataclass
class FrontPipe:
    """The pipe on which the front waits; without any report it logs that there is no recorder."""

    fd: int | None = 3

    def report(self, report: bytes) -> None:
        """Write the first report; a later one would go to another file of the same number."""
        if self.fd is None:
            return
        fd, self.fd = self.fd, None
        with contextlib.suppress(OSError):  # the front gave up waiting and went on
            os.write(fd, report)
        with contextlib.suppress(OSError):
            os.close(fd)


@dataclass(frozen=True)
class Front:
    """The latch's front, which becomes the runtime, and its pipe."""

    pid: int
    pipe: FrontPipe


def record_to_spool(
    spool: RecordingSpool, request: AnnotationRequest, front: Front, find_image: FindImage
) -> None:
    """Record until the container ends. Raises OSError, SeclatchError, VerifierError."""
    signal.pthread_sigmask(signal.SIG_BLOCK, BLOCKED_SIGNALS)
    with contextlib.suppress(OSError):  # do not inherit the engine's protection from the OOM killer
        Path("/proc/self/oom_score_adj").write_text("0")
    slot, path = spool.claim_slot(request)
    options = RecordOptions(
        save=_make_saver(spool, path),
        save_first=_SAVE_FIRST,
        save_every=_SAVE_EVERY,
        interval=_INTERVAL,
        max_bulk=_MAX_BULK,
        notify=lambda sentence: spool.log(make_printable(f"{path.name}: {sentence}")),
    )
    try:
        with contextlib.closing(Ebpf(by_words=True)) as backend:
            query = _ImageQuery(find_image, _read_parent(front.pid), request.identifier)
            source = _AnnotatedContainer(front, backend.probe, query, request.pod)
            recording = TraceRecorder(backend, source, options).record()
        _save_recording(spool, path, recording)
    finally:
        os.close(slot)


def _make_saver(spool: RecordingSpool, path: Path) -> Callable[[Recording], None]:
    def save(recording: Recording) -> None:
        try:
            _save_recording(spool, path, recording)
        except (OSError, SeclatchError) as error:  # a later save may succeed
            spool.log(make_printable(f"{path.name}: {error}"))

    return save


def _save_recording(spool: RecordingSpool, path: Path, recording: Recording) -> None:
    content = recording_file.encode_recording(path, recording)
    spool.require_room(path, len(content))
    recording_file.replace_recording(path, content)


def _read_parent(pid: int) -> int:
    """Return the parent's pid while the front waits: the runtime it becomes may end at once."""
    return int(procfs.read_status_line(pid, b"PPid") or 0)


class _ImageQuery(Thread):
    """Queries the image in a thread: Docker answers only once the container has started."""

    def __init__(self, find_image: FindImage, monitor: int, identifier: str) -> None:
        super().__init__(daemon=True)
        self.identifier = identifier
        self._arguments = find_image, monitor, identifier
        self._answer: ContainerImage | None = None

    def begin(self) -> None:
        """Start, unless the limit on threads (pids.max, RLIMIT_NPROC) leaves no room."""
        with contextlib.suppress(RuntimeError):
            self.start()

    def run(self) -> None:
        """Query the image."""
        find_image, monitor, identifier = self._arguments
        self._answer = find_image(monitor, identifier)

    def answer(self, *, patient: bool) -> ContainerImage | None:
        """Return what is known by now; `patient`: wait for some more seconds."""
        if patient and self.is_alive():
            self.join(_ANSWER_SECONDS)
        return self._answer


class _AnnotatedContainer:
    """The descendants of the front, and the exec sessions that join its container later."""

    def __init__(
        self, front: Front, probe: Probe, query: _ImageQuery, pod: PodContainer | None
    ) -> None:
        self._front = front
        self._pod = pod
        self._query = query
        self._probe = probe
        self._looked = 0
        self._sessions: ExecSessions | None = None
        self._folder = SessionFolder()
        self._entry: Segment | None = None
        self._held: int | None = None

    def start(self, backend: RecordingBackend) -> None:
        """Follow the front, which waits, and report that to it."""
        scope = ContainerScope(reapers=True, word=self._query.identifier)
        if not adopt(self._probe, scope, process=self._front.pid):
            raise SeclatchError(f"following the front, process {self._front.pid}: it has ended")
        self._front.pipe.report(_READY)
        self._query.begin()

    def update(self, trace: Trace, options: RecordOptions) -> None:
        """Watch for exec sessions as soon as the container's mount namespace is known, and held.

        The held namespace is the container's own if its first process still lived after it was
        opened, which the events up to the next update show. If not, the container has ended, and no
        session can join it.
        """
        if self._entry is not None:
            if self._held is not None and self._sessions is None:
                self._watch(trace, self._entry)
            if self._sessions is not None:
                self._folder.update(trace, self._sessions)
        elif len(trace.segments) != self._looked:
            self._looked = len(trace.segments)
            self._entry = find_entry(trace)
            if self._entry is not None:
                self._held = hold_mount_namespace(self._entry.facts.mounts)

    def _watch(self, trace: Trace, entry: Segment) -> None:
        mounts = entry.facts.mounts
        if entry.process in trace.living:
            self._sessions = ExecSessions(mounts)
            # Not by pid 1 of its pid namespace any more: other containers may share it.
            scope = ContainerScope(mounts=mounts, word=self._query.identifier)
            watch_container(self._probe, scope)
        elif self._held is not None:
            os.close(self._held)
            self._held = None

    def find_living(self, trace: Trace) -> set[int]:
        """Return all living processes of it, and the runtimes of its sessions."""
        return trace.living - self._find_unrelated(trace)

    def _find_unrelated(self, trace: Trace) -> set[int]:
        sessions = self._sessions or ExecSessions()
        sessions.update(trace)
        sessions.add_runtime_of(trace, 0)
        return sessions.find_unrelated(trace)

    def is_pending(self, backend: RecordingBackend) -> bool:
        """Return False: the front itself is followed."""
        return False

    def handle_signal(self, signal_: int, sender: int) -> bool:
        """End the recording at a signal, as at the host's shutdown."""
        return True

    def list_containers(self, trace: Trace) -> tuple[EngineContainer, ...]:
        """Return none: no engine is asked from within a start."""
        return ()

    def select_related(self, trace: Trace) -> Trace:
        """Return the trace without processes that only named the container."""
        unrelated = self._find_unrelated(trace)
        return restrict_trace(trace, trace.processes.keys() - unrelated) if unrelated else trace

    def describe_run(
        self, started: datetime, began: int, ended: int, complete: bool
    ) -> RunMetadata:
        """Return the metadata: there is no command; the runtime's argv has the container's id."""
        image = self._query.answer(patient=complete)
        return RunMetadata((), started, began, ended, complete, image=image, pod=self._pod)


def hold_mount_namespace(number: int) -> int | None:
    """Return a descriptor of the mount namespace with this inode number; None if there is none.

    The kernel reuses the number of a namespace that has gone for the next one, which may be
    another container's; an open descriptor prevents that. If the namespace that was meant has gone
    by now, the descriptor may already be of its successor.
    """
    for name in os.listdir("/proc"):  # noqa: PTH208 (pathlib takes ten times as long)
        if name.isdecimal():
            path = f"/proc/{name}/ns/mnt"
            with contextlib.suppress(OSError):  # the process has ended, or is a kernel thread
                if os.stat(path).st_ino == number:  # noqa: PTH116
                    return _open_namespace(path, number)
    return None


def _open_namespace(path: str, number: int) -> int | None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    if os.fstat(fd).st_ino == number:
        return fd
    os.close(fd)
    return None
