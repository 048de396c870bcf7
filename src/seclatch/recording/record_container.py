"""Record a running container: all its processes, and the exec sessions that join it later."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
from dataclasses import dataclass
from datetime import datetime

from seclatch.errors import SeclatchError
from seclatch.model.pod import PodContainer
from seclatch.model.recording.origin import ContainerImage
from seclatch.model.recording.recording import Recording
from seclatch.recording.attribution.attribution import restrict_trace
from seclatch.recording.attribution.exec_sessions import ExecSessions
from seclatch.recording.attribution.fold_sessions import SessionFolder
from seclatch.recording.backends.backend import RecordingBackend
from seclatch.recording.backends.bpf.adopt_processes import adopt
from seclatch.recording.backends.bpf.bpf_backend import Ebpf
from seclatch.recording.backends.bpf.container_scope import ContainerScope
from seclatch.recording.backends.bpf.loader import Probe
from seclatch.recording.ready.ready_condition import EngineContainer
from seclatch.recording.recorder import (
    BLOCKED_SIGNALS,
    RecordOptions,
    TraceRecorder,
    restore_signals,
)
from seclatch.recording.trace.run_metadata import RunMetadata
from seclatch.recording.trace.trace import Trace
from seclatch.system.bpf import VerifierError

_ENGINES = ("docker", "podman")


@dataclass(frozen=True, slots=True)
class ContainerTarget:
    """A running container: a process in it, and the `name` that the user gave.

    `pid` is as this process sees it. The rest is set if it is known.
    """

    pid: int
    name: str
    identifier: str = ""
    image: ContainerImage | None = None
    pod: PodContainer | None = None
    engine: str = ""


def record_container(target: ContainerTarget, options: RecordOptions) -> Recording:
    """Record until the container's last process ends, SIGINT, SIGTERM, SIGHUP, or `seconds`.

    Raises SeclatchError.
    """
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, BLOCKED_SIGNALS)
    try:
        with (
            _Namespaces(target) as namespaces,
            contextlib.closing(Ebpf(options.sights, by_words=True)) as backend,
        ):
            source = _Container(target, namespaces, backend.probe)
            return TraceRecorder(backend, source, options).record()
    finally:
        if options.ready:
            options.ready.close()
        restore_signals(mask, options)


class _Namespaces:
    """The namespaces by which the container differs from its host, held open.

    The kernel reuses the inode number of a namespace that has gone at once.
    """

    def __init__(self, target: ContainerTarget) -> None:
        self.mounts = self.pids = 0
        self._target = target
        self._held: list[int] = []

    def __enter__(self) -> _Namespaces:
        """Find and hold them. Raises SeclatchError."""
        try:
            self.mounts = self._open_namespace("mnt")
            if not self.mounts:
                self.pids = self._open_namespace("pid")
        except OSError as error:
            raise _explain_error(self._target, error) from error
        if not self.mounts and not self.pids:
            raise SeclatchError(
                f"recording the container {self._target.name}: process {self._target.pid} is in "
                "none, its mounts and process ids are the host's own",
                remedy="give a container, or start the program under `seclatch record -- COMMAND`",
            )
        return self

    def _open_namespace(self, kind: str) -> int:
        """Open a namespace and return its inode number; 0 if it is the host's or this process's."""
        fd = os.open(f"/proc/{self._target.pid}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)
        self._held.append(fd)
        number = os.fstat(fd).st_ino
        return (
            0 if number in (_read_namespace("self", kind), _read_namespace("1", kind)) else number
        )

    def __exit__(self, *_: object) -> None:
        """Close the namespaces."""
        for fd in self._held:
            os.close(fd)


def _read_namespace(process: str, kind: str) -> int:
    """Return the inode number of a namespace of this process or of pid 1; 0 if not permitted."""
    with contextlib.suppress(PermissionError):
        return os.stat(f"/proc/{process}/ns/{kind}").st_ino  # noqa: PTH116 (a magic link)
    return 0


def _explain_error(target: ContainerTarget, error: OSError) -> SeclatchError:
    what = f"recording the container {target.name}: process {target.pid}: {error.strerror}"
    if error.errno in (errno.EACCES, errno.EPERM):
        return SeclatchError(what, remedy="only root may look into other users' processes")
    if error.errno in (errno.ENOENT, errno.ESRCH):
        return SeclatchError(what, remedy="it has ended; give a running container")
    return SeclatchError(what)


class _Container:
    """The container's processes, found running or joined later."""

    def __init__(self, target: ContainerTarget, namespaces: _Namespaces, probe: Probe) -> None:
        self._target = target
        self._namespaces = namespaces
        self._probe = probe
        self._sessions = ExecSessions(namespaces.mounts, namespaces.pids)
        self._folder = SessionFolder()

    def start(self, backend: RecordingBackend) -> None:
        """Find its processes."""
        try:
            found = adopt(
                self._probe,
                ContainerScope(
                    mounts=self._namespaces.mounts,
                    pids=self._namespaces.pids,
                    word=self._target.identifier,
                ),
            )
        except (OSError, VerifierError) as error:
            raise SeclatchError(
                f"looking for the container's processes: {error}",
                remedy="recording a running container takes an iterator of tasks (Linux 5.15)",
            ) from error
        if not found:
            raise _explain_error(self._target, OSError(errno.ESRCH, os.strerror(errno.ESRCH)))

    def update(self, trace: Trace, options: RecordOptions) -> None:
        """Look for exec sessions of the container, and fold those that have ended."""
        self._sessions.update(trace)
        self._folder.update(trace, self._sessions)

    def find_living(self, trace: Trace) -> set[int]:
        """Return its living processes, and the runtimes of its exec sessions."""
        return trace.living - self._sessions.find_unrelated(trace)

    def is_pending(self, backend: RecordingBackend) -> bool:
        """Return False: a container without a process has ended."""
        return False

    def handle_signal(self, signal_: int, sender: int) -> bool:
        """End the recording; the container goes on."""
        return True

    def select_related(self, trace: Trace) -> Trace:
        """Return the trace without processes that only named the container."""
        self._sessions.update(trace)
        unrelated = self._sessions.find_unrelated(trace)
        return restrict_trace(trace, trace.processes.keys() - unrelated) if unrelated else trace

    def list_containers(self, trace: Trace) -> tuple[EngineContainer, ...]:
        """Return the container, if its engine's client can be asked."""
        if self._target.engine not in _ENGINES or not self._target.identifier.isalnum():
            return ()
        return (EngineContainer((self._target.engine,), self._target.identifier),)

    def describe_run(
        self, started: datetime, began: int, ended: int, complete: bool
    ) -> RunMetadata:
        """Return the metadata: the container's id and image."""
        return RunMetadata(
            (),
            started,
            began,
            ended,
            complete,
            container=self._target.identifier,
            image=self._target.image,
            pod=self._target.pod,
        )
