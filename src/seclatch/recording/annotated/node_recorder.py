"""The recorder of annotated containers: one process a node, asked by the latch over a socket.

The latch waits two seconds at most, so nothing here blocks: what could is done in forked children.
A container's failure ends its own recording at most; what ends the whole process is made good by
the next one, which continues the recordings of containers that still run (decision 0145).
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec

from seclatch.errors import SeclatchError
from seclatch.model.origin import ContainerImage
from seclatch.model.pod import PodContainer
from seclatch.model.recorder_limits import decode_limits
from seclatch.output.printable_text import make_printable
from seclatch.recording.annotated.annotation import MAX_SIZE, AnnotationRequest, read_annotation
from seclatch.recording.annotated.container_recording import ContainerRecording, FormerPart
from seclatch.recording.annotated.forked_tasks import ForkedTask, TaskQueue
from seclatch.recording.annotated.recorder_socket import RecorderRequest, RecorderSocket
from seclatch.recording.annotated.running_state import (
    ContainerIdentity,
    RunningState,
    hold_container,
    read_states,
    remove_state,
    write_state,
)
from seclatch.recording.annotated.spool import RecordingSpool
from seclatch.recording.backends.bpf.container_scope import ContainerScope
from seclatch.recording.backends.bpf.shared_backend import SharedEbpf
from seclatch.recording.files import recording_file
from seclatch.recording.recorder import BY_HAND
from seclatch.system import procfs
from seclatch.system.bpf import VerifierError
from seclatch.system.recorder_client import DEFAULT_SOCKET

FindImage = Callable[[int, str], ContainerImage | None]
"""Returns the image of a container by the pid of its shim or monitor, and its id."""

FindPod = Callable[[str, int], PodContainer | None]
"""Returns the names in Kubernetes of a container by its id and the pid of its shim or monitor."""

_FOLLOWED, _NOT_FOLLOWED = b"1", b"0"
_INTERVAL, _IDLE = 0.05, 5.0
_SAVE_FIRST = 1.0  # so that a recorder which is killed leaves something
_SAVE_EVERY = 60.0
_CHECK_EVERY, _SETTLE_EVERY = 5.0, 1.0
_SAVE_SECONDS, _IMAGE_SECONDS, _STOP_SECONDS = 120.0, 20.0, 60.0
_MAX_BULK = 100_000
"""Of all traces together, some 500 MB: at this size the largest recording ends."""
_MAX_SEGMENTS = 1024
"""A container with more processes at the same time would take the slots of all others."""
_LEFT_BEHIND = re.compile(r"\..+\.[0-9a-f]{12}")  # by a child that was killed while it wrote


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
        with contextlib.closing(NodeRecorder(spool, path, find_image, find_pod)) as recorder:
            recorder.serve()
    except (OSError, SeclatchError, VerifierError) as error:
        _log(spool, f"the recorder ends: {_explain(error)}")
        return 1
    return 0


def _explain(error: Exception) -> str:
    remedy = getattr(error, "remedy", "")
    return f"{error}" + (f"; {remedy}" if remedy else "")


def _log(spool: RecordingSpool, sentence: str) -> None:
    """Log to the spool, and to standard error, which is the service's journal."""
    line = make_printable(sentence)
    spool.log(line)
    with contextlib.suppress(OSError):
        print(line, file=sys.stderr, flush=True)


class NodeRecorder:
    """Records all annotated containers of a node. Raises SeclatchError where that is impossible."""

    def __init__(
        self, spool: RecordingSpool, path: Path, find_image: FindImage, find_pod: FindPod
    ) -> None:
        spool.require_private()
        self._spool = spool
        self._lock = spool.lock(str(path))
        self._find_image, self._find_pod = find_image, find_pod
        self._backend = SharedEbpf()
        self._socket = RecorderSocket(path)
        self._recordings: dict[int, ContainerRecording] = {}
        self._numbers = 0
        self._saves, self._images = TaskQueue(2), TaskQueue(4)
        self._flushes: list[tuple[RecorderRequest, list[ContainerRecording], float]] = []
        self._next_check = self._next_settling = 0.0
        self._stopped = False
        self._wakeup = _watch_signals(self._stop)

    def _stop(self, *_: object) -> None:
        self._stopped = True

    def serve(self) -> None:
        """Continue what an earlier recorder left, then serve until a signal. Raises OSError."""
        self._clean_up()
        self._resume()
        self._backend.prepare()
        self._socket.open()
        _notify_service("READY=1")
        while not self._stopped:
            self._wait()
            for request in self._socket.take_requests():
                self._handle(request)
            self._work()
        _notify_service("STOPPING=1")
        self._save_all()

    def close(self) -> None:
        """Close everything; the kernel programs go with the process."""
        self._socket.close()
        self._backend.close()
        os.close(self._lock)

    # ---- requests ----

    def _handle(self, request: RecorderRequest) -> None:
        verbs = {"record": self._record, "flush": self._flush, "mark": self._mark}
        try:
            if request.verb == "status":
                _answer(request, self._describe())
            elif request.verb in verbs:
                verbs[request.verb](request)
            else:
                request.close()
        except (OSError, SeclatchError, VerifierError) as error:
            self._log(f"not recorded: {_explain(error)}")
            request.answer(_NOT_FOLLOWED)

    def _record(self, request: RecorderRequest) -> None:
        """Follow the front that asks. Raises SeclatchError, OSError, VerifierError."""
        if not request.pid:
            raise SeclatchError("following the front: its process ids are not this recorder's")
        identifier = request.argument or procfs.read_argv(request.pid)[0][-1]
        wish = read_annotation(request.read_file(MAX_SIZE + 1), identifier)
        if wish is None or not request.is_waiting():
            request.answer(_NOT_FOLLOWED)
            return
        running = [each.path.name for each in self._recordings.values()]
        path = self._spool.choose_path(wish, running)
        monitor = int(procfs.read_status_line(request.pid, b"PPid") or 0)
        if wish.pod:
            # The annotations alone make no pod: any user of Docker may write them.
            wish = replace(wish, pod=self._find_pod(identifier, monitor))
        self._numbers += 1
        scope = ContainerScope(reapers=True, word=identifier)
        trace = self._backend.follow_front(self._numbers, scope, request.pid)
        if trace is None:
            raise SeclatchError(f"following the front, process {request.pid}: it has ended")
        recording = ContainerRecording(self._numbers, wish, path, scope, trace)
        recording.next_save = time.monotonic() + _SAVE_FIRST
        if not request.answer(_FOLLOWED):
            self._backend.forget(recording.number, scope)
            raise SeclatchError(
                f"following container {identifier[:64]}: the latch no longer waited",
                remedy="the host is very busy: the container started unrecorded",
            )
        self._recordings[recording.number] = recording
        self._write_state(recording)
        self._query_image(recording, monitor)

    def _find(self, name: str) -> list[ContainerRecording]:
        return [
            each
            for each in self._recordings.values()
            if name and (each.request.name == name or each.request.identifier.startswith(name))
        ]

    def _flush(self, request: RecorderRequest) -> None:
        """Answer when the recordings of this name or id have been written."""
        meant = self._find(request.argument)
        if not meant:
            _answer(request, {"files": []})
            return
        self._backend.harvest.catch_up()
        for recording in meant:
            self._save(recording, complete=False, again=True)
        self._flushes.append((request, meant, time.monotonic() + _SAVE_SECONDS))

    def _mark(self, request: RecorderRequest) -> None:
        """Begin the running phase of the recordings of this name or id."""
        self._backend.harvest.catch_up()
        meant = self._find(request.argument)
        for recording in meant:
            recording.mark(BY_HAND)
        _answer(request, {"files": [recording.path.name for recording in meant]})

    def _describe(self) -> dict[str, object]:
        return {
            "pid": os.getpid(),
            "directory": str(self._spool.path),
            "recordings": len(self._recordings),
            "at_once": self._spool.limits.at_once,
        }

    # ---- recordings ----

    def _work(self) -> None:
        """Take what the kernel programs have left, and do what is due."""
        harvest = self._backend.harvest
        harvest.collect()
        touched, harvest.touched = harvest.touched, set()
        for recording in list(self._recordings.values()):
            if recording.number in touched or not recording.sessions:
                recording.changed |= recording.number in touched
                self._guarded(recording, self._update)
        if time.monotonic() >= self._next_settling:
            self._settle_processes()
        if time.monotonic() >= self._next_check:
            self._check_limits()
        self._save_due()
        self._saves.poll()
        self._images.poll()
        self._answer_flushes()

    def _guarded(
        self, recording: ContainerRecording, work: Callable[[ContainerRecording], None]
    ) -> None:
        """Do work on one recording, whose failure must not end the others."""
        try:
            work(recording)
        except Exception as error:
            self._log(f"{recording.path.name}: the recording ends: {type(error).__name__}: {error}")
            self._forget(recording)

    def _update(self, recording: ContainerRecording) -> None:
        entered = recording.sessions is not None
        recording.update(self._backend)
        if recording.sessions is not None and not entered:
            self._write_state(recording)
        if not recording.ended and not recording.find_living():
            recording.ended = True
            self._backend.harvest.catch_up()
            self._finish_soon(recording)

    def _finish_soon(self, recording: ContainerRecording) -> None:
        recording.ended = True
        recording.next_save = 0.0
        recording.changed = True

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
        for recording in list(self._recordings.values()):
            if counts.get(recording.number, 0) > _MAX_SEGMENTS:
                self._cut_off(recording, f"more than {_MAX_SEGMENTS} processes at the same time")
            elif recording.trace.lost.events and not self._backend.harvest.lives(
                recording.trace, recording.find_living()
            ):
                self._finish_soon(recording)
        while sum(each.trace.bulk for each in self._going()) > _MAX_BULK:
            largest = max(self._going(), key=lambda each: each.trace.bulk)
            self._cut_off(largest, f"it has {largest.trace.bulk:,} processes and execs")

    def _going(self) -> list[ContainerRecording]:
        return [each for each in self._recordings.values() if not each.ended]

    def _cut_off(self, recording: ContainerRecording, reason: str) -> None:
        """End a recording while its container goes on: what it does later counts as lost."""
        self._log(f"{recording.path.name}: the recording ends, the container goes on: {reason}")
        self._backend.harvest.catch_up()
        lost = recording.trace.lost
        living = len(recording.find_living())
        recording.trace.lost = replace(lost, processes=lost.processes + living)
        self._backend.forget(recording.number, recording.scope)
        self._backend.release()
        self._finish_soon(recording)

    def _query_image(self, recording: ContainerRecording, monitor: int) -> None:
        """Ask in a child: Docker answers only once the container has started."""
        identifier = recording.request.identifier

        def ask() -> bytes:
            return msgspec.json.encode(self._find_image(monitor, identifier))

        def take(result: bytes | None) -> None:
            recording.image_is_pending = False
            with contextlib.suppress(msgspec.DecodeError):
                recording.image = msgspec.json.decode(result or b"null", type=ContainerImage | None)
            if recording.image and recording.sessions and recording.number in self._recordings:
                self._write_state(recording)

        recording.image_is_pending = True
        self._images.add(ForkedTask(ask, take, _IMAGE_SECONDS))

    # ---- files ----

    def _save_due(self) -> None:
        now, caught_up = time.monotonic(), False
        for recording in list(self._recordings.values()):
            if recording.is_saving or now < recording.next_save:
                continue
            if recording.ended:
                if not recording.image_is_pending:
                    self._save(recording, complete=True)
                continue
            if not caught_up:
                self._backend.harvest.catch_up()
                caught_up = True
            recording.next_save = now + _SAVE_EVERY
            self._save(recording, complete=False)

    def _save(self, recording: ContainerRecording, *, complete: bool, again: bool = False) -> None:
        """Write the file in a child; `again`: also if one writes it already."""
        if recording.is_saving and not again:
            return
        recording.saves += 1

        def write() -> bytes:
            try:
                content = recording_file.encode_recording(
                    recording.path, recording.make_recording(complete=complete)
                )
                self._spool.require_room(recording.path, len(content))
                recording_file.replace_recording(recording.path, content)
            except (OSError, SeclatchError) as error:  # a later save may succeed
                _log(self._spool, f"{recording.path.name}: {_explain(error)}")
            return b""

        def wrote(result: bytes | None) -> None:
            recording.saves -= 1
            if result is None:
                self._log(f"{recording.path.name}: writing it failed")
            if complete:
                self._forget(recording)

        self._saves.add(ForkedTask(write, wrote, _SAVE_SECONDS))

    def _forget(self, recording: ContainerRecording) -> None:
        self._recordings.pop(recording.number, None)
        recording.release()
        remove_state(self._spool.path, recording.path.name)
        with contextlib.suppress(OSError):
            self._backend.forget(recording.number, recording.scope)

    def _save_all(self) -> None:
        """Write everything before the process ends; the next one continues what still runs."""
        self._backend.harvest.collect()
        self._backend.harvest.catch_up()
        for recording in list(self._recordings.values()):
            self._save(recording, complete=not recording.find_living(), again=True)
        deadline = time.monotonic() + _STOP_SECONDS
        while not self._saves.is_idle() and time.monotonic() < deadline:
            self._saves.poll()
            time.sleep(0.005)
        self._answer_flushes()

    def _answer_flushes(self) -> None:
        waiting = []
        for request, meant, deadline in self._flushes:
            if any(each.is_saving for each in meant) and time.monotonic() < deadline:
                waiting.append((request, meant, deadline))
                continue
            files = [str(each.path) for each in meant if each.path.exists()]
            _answer(request, {"files": files, "log": str(self._spool.path / "log")})
        self._flushes = waiting

    def _write_state(self, recording: ContainerRecording) -> None:
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
            self._log(f"{recording.path.name}: writing its state: {error.strerror}")

    # ---- the beginning ----

    def _clean_up(self) -> None:
        for path in self._spool.path.iterdir():
            if _LEFT_BEHIND.fullmatch(path.name):
                path.unlink(missing_ok=True)

    def _resume(self) -> None:
        """Continue the recordings of containers that still run."""
        for state in read_states(self._spool.path):
            try:
                if state.identity is None or not self._continue(state, state.identity):
                    self._log(f"{state.file}: its container ended while no recorder ran")
                    remove_state(self._spool.path, state.file)
            except (OSError, SeclatchError, VerifierError) as error:
                self._log(f"{state.file}: it is not continued: {_explain(error)}")
                remove_state(self._spool.path, state.file)

    def _continue(self, state: RunningState, identity: ContainerIdentity) -> bool:
        """Follow a container that was being recorded; False if it has ended."""
        held = hold_container(identity)
        if held is None:
            return False
        path = self._spool.path / state.file
        before = path.read_bytes() if path.exists() else b""
        # It must be readable now, and not only when it is to be written again.
        ready = recording_file.read_recording(path).ready if before else None
        self._numbers += 1
        scope = ContainerScope(mounts=identity.mounts, word=state.identifier)
        trace = self._backend.follow_running(self._numbers, scope)
        if trace is None:
            os.close(held)
            return False
        wish = AnnotationRequest(state.name, state.identifier, state.pod)
        recording = ContainerRecording(self._numbers, wish, path, scope, trace, image=state.image)
        recording.former = FormerPart(before, state.started)
        recording.resume(held, identity)
        if ready:
            self._backend.harvest.catch_up()
            recording.mark(ready.condition)
        recording.next_save = time.monotonic() + _SAVE_FIRST
        self._recordings[recording.number] = recording
        return True

    # ---- waiting ----

    def _wait(self) -> None:
        """Wait for a request or signal, or for the time to look at the kernel's buffers."""
        poll = select.poll()
        for number in (self._wakeup.fileno(), *self._socket.list_descriptors()):
            poll.register(number, select.POLLIN)
        idle = not self._recordings and self._saves.is_idle() and self._images.is_idle()
        poll.poll(1000 * (_IDLE if idle else _INTERVAL))
        with contextlib.suppress(BlockingIOError):
            while self._wakeup.recv(64):
                pass

    def _log(self, sentence: str) -> None:
        _log(self._spool, sentence)


def _answer(request: RecorderRequest, content: dict[str, object]) -> None:
    request.answer(msgspec.json.encode(content))


def _watch_signals(stop: Callable[..., None]) -> socket.socket:
    """Have a signal to stop wake the loop; return the socket that becomes readable."""
    reading, writing = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    reading.setblocking(False)
    writing.setblocking(False)
    signal.set_wakeup_fd(writing.detach(), warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, stop)
    return reading


def _notify_service(state: str) -> None:
    """Tell systemd (sd_notify(3)) where it has started this process."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path:
        return
    address = f"\0{path[1:]}" if path[0] == "@" else path
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(state.encode(), address)
