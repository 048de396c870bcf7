"""The recorder of annotated containers: one process a node, asked by the latch over a socket.

The latch waits two seconds at most, so nothing here blocks: what could is done in forked children.
A container's failure ends its own recording at most; what ends the whole process is made good by
the next one, which continues the recordings of containers that still run (decision 0145).
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from seclatch.errors import SeclatchError
from seclatch.model.recorder_limits import decode_limits
from seclatch.recording.annotated.follow_front import (
    NOT_FOLLOWED,
    FindImage,
    FindPod,
    FrontFollower,
)
from seclatch.recording.annotated.recorded_containers import RecordedContainers
from seclatch.recording.annotated.recorder_log import RecorderLog, describe_error
from seclatch.recording.annotated.recorder_socket import RecorderRequest, RecorderSocket
from seclatch.recording.annotated.resume_recordings import (
    remove_partial_files,
    resume_recordings,
)
from seclatch.recording.annotated.save_recordings import RecordingSaver
from seclatch.recording.annotated.service_signals import notify_service, watch_signals
from seclatch.recording.annotated.spool import RecordingSpool, SpoolBusyError
from seclatch.recording.backends.bpf.shared_backend import SharedEbpf
from seclatch.recording.recorder import BY_HAND
from seclatch.system.bpf import VerifierError
from seclatch.system.recorder_client import DEFAULT_SOCKET

_INTERVAL, _IDLE = 0.05, 2.0
_HANDOVER = 5 * _IDLE


def main(program: str, find_image: FindImage, find_pod: FindPod) -> int:
    """Serve until SIGTERM. With `--check` (`seclatch doctor`) return 0: everything was imported."""
    os.umask(0o077)
    limits = decode_limits(Path(program).with_name("recorder.json").read_bytes())
    spool = RecordingSpool(limits)
    words = sys.argv[1:]
    if words == ["--check"]:
        return 0
    path = Path(words[1] if words[:1] == ["--socket"] else DEFAULT_SOCKET)
    try:
        serve_containers(spool, path, find_image, find_pod)
    except SeclatchError:
        return 1
    return 0


def serve_containers(
    spool: RecordingSpool,
    path: Path,
    find_image: FindImage,
    find_pod: FindPod,
    is_wanted: Callable[[], bool] = lambda: True,
) -> None:
    """Serve until a signal, or until it is not wanted here. Raises SeclatchError, and logs it."""
    try:
        with contextlib.closing(NodeRecorder(spool, path, find_image, find_pod)) as recorder:
            recorder.serve(is_wanted)
    except (OSError, SeclatchError, VerifierError) as error:
        problem = f"the recorder ends: {describe_error(error)}"
        RecorderLog(spool).write(problem)
        raise SeclatchError(problem) from error


def _wait_for_lock(spool: RecordingSpool, path: Path) -> int:
    """Lock the spool: a recorder that is replaced by another kind needs some seconds to see it."""
    deadline = time.monotonic() + _HANDOVER
    while True:
        try:
            return spool.lock(str(path))
        except SpoolBusyError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.1)


class NodeRecorder:
    """Records all annotated containers of a node. Raises SeclatchError where that is impossible."""

    def __init__(
        self, spool: RecordingSpool, path: Path, find_image: FindImage, find_pod: FindPod
    ) -> None:
        spool.require_private()
        self._spool, self._log = spool, RecorderLog(spool)
        self._lock = _wait_for_lock(spool, path)
        self._backend = SharedEbpf()
        self._socket = RecorderSocket(path)
        self._containers = RecordedContainers(spool, self._backend, self._log)
        self._saver = RecordingSaver(spool, self._backend, self._containers, self._log)
        self._follower = FrontFollower(spool, self._backend, self._containers, find_image, find_pod)
        self._stopped = False
        self._next_look = 0.0
        self._wakeup = watch_signals(self._stop)

    def _stop(self, *_: object) -> None:
        self._stopped = True

    def serve(self, is_wanted: Callable[[], bool]) -> None:
        """Continue what an earlier recorder left, then serve until a signal. Raises OSError.

        Also until it is not wanted, or its socket was removed: then the latch cannot find it.
        """
        remove_partial_files(self._spool)
        resume_recordings(self._spool, self._backend, self._containers, self._log)
        self._backend.prepare()
        self._socket.open()
        notify_service("READY=1")
        while not self._stopped and self._is_useful(is_wanted):
            self._wait()
            for request in self._socket.take_requests():
                self._handle(request)
            self._work()
        notify_service("STOPPING=1")
        self._saver.save_all()

    def _is_useful(self, is_wanted: Callable[[], bool]) -> bool:
        """Look from time to time whether it is wanted, and found. Raises SeclatchError."""
        if time.monotonic() < self._next_look:
            return True
        self._next_look = time.monotonic() + _IDLE
        self._socket.require_present()
        return is_wanted()

    def close(self) -> None:
        """Close everything; the kernel programs go with the process."""
        self._socket.close()
        self._backend.close()
        os.close(self._lock)

    def _wait(self) -> None:
        """Wait for a request or signal, or for the time to look at the kernel's buffers."""
        poll = select.poll()
        for number in (self._wakeup.fileno(), *self._socket.list_descriptors()):
            poll.register(number, select.POLLIN)
        idle = not self._containers and self._saver.is_idle() and self._follower.is_idle()
        poll.poll(1000 * (_IDLE if idle else _INTERVAL))
        with contextlib.suppress(BlockingIOError):
            while self._wakeup.recv(64):
                pass

    def _work(self) -> None:
        self._containers.update()
        self._saver.save_due()
        self._saver.poll()
        self._follower.poll()
        self._saver.answer_flushes()

    def _handle(self, request: RecorderRequest) -> None:
        verbs = {
            "record": self._follower.follow,
            "flush": self._saver.flush,
            "mark": self._mark,
            "status": self._describe,
        }
        try:
            if request.verb in verbs:
                verbs[request.verb](request)
            else:
                request.close()
        except (OSError, SeclatchError, VerifierError) as error:
            self._refuse(request, describe_error(error))
        # A defect must not end the recordings of all other containers.
        except Exception as error:
            self._refuse(request, f"{type(error).__name__}: {error}")

    def _refuse(self, request: RecorderRequest, reason: str) -> None:
        self._log.write(f"not recorded: {reason}")
        request.answer(NOT_FOLLOWED)

    def _mark(self, request: RecorderRequest) -> None:
        """Begin the running phase of the recordings of this name or id."""
        marked = self._containers.mark(request.argument, BY_HAND)
        files = [recording.path.name for recording in marked]
        request.answer(msgspec.json.encode({"files": files}))

    def _describe(self, request: RecorderRequest) -> None:
        """Answer for `seclatch doctor`, and for those that wait for the recorder."""
        answer = {
            "pid": os.getpid(),
            "directory": str(self._spool.path),
            "recordings": len(self._containers),
            "at_once": self._spool.limits.at_once,
        }
        request.answer(msgspec.json.encode(answer))
