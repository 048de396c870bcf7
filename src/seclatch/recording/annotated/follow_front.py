"""Begin the recording of a container: the latch's front asks, before it starts the runtime."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import replace

import msgspec

from seclatch.errors import SeclatchError
from seclatch.model.pod import PodContainer
from seclatch.model.recording.origin import ContainerImage
from seclatch.recording.annotated.annotation import MAX_SIZE, read_annotation
from seclatch.recording.annotated.container_recording import ContainerRecording
from seclatch.recording.annotated.forked_tasks import ForkedTask, TaskQueue
from seclatch.recording.annotated.recorded_containers import RecordedContainers
from seclatch.recording.annotated.recorder_socket import RecorderRequest
from seclatch.recording.annotated.save_recordings import SAVE_FIRST
from seclatch.recording.annotated.spool import RecordingSpool
from seclatch.recording.backends.bpf.container_scope import ContainerScope
from seclatch.recording.backends.bpf.shared_backend import SharedEbpf
from seclatch.system import procfs

FindImage = Callable[[int, str], ContainerImage | None]
"""Returns the image of a container by the pid of its shim or monitor, and its id."""

FindPod = Callable[[str, int], PodContainer | None]
"""Returns the names in Kubernetes of a container by its id and the pid of its shim or monitor."""

_FOLLOWED, NOT_FOLLOWED = b"1", b"0"
_IMAGE_SECONDS = 20.0


class FrontFollower:
    """Follows fronts of the latch; asks engines for images in forked children."""

    def __init__(
        self,
        spool: RecordingSpool,
        backend: SharedEbpf,
        containers: RecordedContainers,
        find_image: FindImage,
        find_pod: FindPod,
    ) -> None:
        self._spool, self._backend, self._containers = spool, backend, containers
        self._find_image, self._find_pod = find_image, find_pod
        self._images = TaskQueue(4)

    def is_idle(self) -> bool:
        """Return whether no engine is being asked."""
        return self._images.is_idle()

    def poll(self) -> None:
        """Take the engines' answers, and ask the next."""
        self._images.poll()

    def follow(self, request: RecorderRequest) -> None:
        """Follow the front that asks. Raises SeclatchError, OSError, VerifierError."""
        if not request.pid:
            raise SeclatchError("following the front: its process ids are not this recorder's")
        identifier = request.argument or _read_identifier(request.pid)
        wish = read_annotation(request.read_file(MAX_SIZE + 1), identifier)
        if wish is None or not request.is_waiting():
            request.answer(NOT_FOLLOWED)
            return
        running = [each.path.name for each in self._containers.list_all()]
        path = self._spool.choose_path(wish, running)
        monitor = int(procfs.read_status_line(request.pid, b"PPid") or 0)
        if wish.pod:
            # The annotations alone make no pod: any user of Docker may write them.
            wish = replace(wish, pod=self._find_pod(identifier, monitor))
        number = self._containers.take_number()
        scope = ContainerScope(reapers=True, word=identifier)
        trace = self._backend.follow_front(number, scope, request.pid)
        if trace is None:
            raise SeclatchError(f"following the front, process {request.pid}: it has ended")
        recording = ContainerRecording(number, wish, path, scope, trace)
        recording.next_save = time.monotonic() + SAVE_FIRST
        if not request.answer(_FOLLOWED):
            self._backend.forget(recording.number, scope)
            raise SeclatchError(
                f"following container {identifier[:64]}: the latch no longer waited",
                remedy="the host is very busy: the container started unrecorded",
            )
        self._containers.add(recording)
        self._containers.write_state(recording)
        self._query_image(recording, monitor)

    def _query_image(self, recording: ContainerRecording, monitor: int) -> None:
        """Ask in a child: Docker answers only once the container has started."""
        identifier = recording.request.identifier

        def ask() -> bytes:
            return msgspec.json.encode(self._find_image(monitor, identifier))

        def take(result: bytes | None) -> None:
            recording.image_is_pending = False
            with contextlib.suppress(msgspec.DecodeError):
                recording.image = msgspec.json.decode(result or b"null", type=ContainerImage | None)
            if recording.image and recording.sessions and recording in self._containers:
                self._containers.write_state(recording)

        recording.image_is_pending = True
        self._images.add(ForkedTask(ask, take, _IMAGE_SECONDS))


def _read_identifier(pid: int) -> str:
    """Return the container's id from the front's argv. Raises SeclatchError, OSError."""
    argv = procfs.read_argv(pid)[0]
    if not argv:  # a zombie's (proc_pid_cmdline(5))
        raise SeclatchError(f"following the front, process {pid}: it has ended")
    return argv[-1]
