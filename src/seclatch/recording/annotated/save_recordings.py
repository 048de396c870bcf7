"""Save recordings, in forked children: what is due, what a flush asks for, all at the end."""

from __future__ import annotations

import time

import msgspec

from seclatch.errors import SeclatchError
from seclatch.recording.annotated.container_recording import ContainerRecording
from seclatch.recording.annotated.forked_tasks import ForkedTask, TaskQueue
from seclatch.recording.annotated.recorded_containers import RecordedContainers
from seclatch.recording.annotated.recorder_log import RecorderLog, describe_error
from seclatch.recording.annotated.recorder_socket import RecorderRequest
from seclatch.recording.annotated.spool import RecordingSpool
from seclatch.recording.backends.bpf.shared_backend import SharedEbpf
from seclatch.recording.files import recording_file

SAVE_FIRST = 1.0
"""Seconds until the first save, so that a recorder which is killed leaves something."""
_SAVE_EVERY = 60.0
_SAVE_SECONDS, _STOP_SECONDS = 120.0, 60.0


class RecordingSaver:
    """Writes recordings to the spool, and answers flushes once theirs are written."""

    def __init__(
        self,
        spool: RecordingSpool,
        backend: SharedEbpf,
        containers: RecordedContainers,
        log: RecorderLog,
    ) -> None:
        self._spool, self._backend, self._containers = spool, backend, containers
        self._log = log
        self._saves = TaskQueue(2)
        self._flushes: list[tuple[RecorderRequest, list[ContainerRecording], float]] = []

    def is_idle(self) -> bool:
        """Return whether nothing is being written."""
        return self._saves.is_idle()

    def save_due(self) -> None:
        """Have those written that have ended, or were not written for a while."""
        now, caught_up = time.monotonic(), False
        for recording in self._containers.list_all():
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

    def save_all(self) -> None:
        """Write everything before the process ends; the next one continues what still runs."""
        self._backend.harvest.collect()
        self._backend.harvest.catch_up()
        for recording in self._containers.list_all():
            self._save(recording, complete=not recording.find_living(), again=True)
        deadline = time.monotonic() + _STOP_SECONDS
        while not self._saves.is_idle() and time.monotonic() < deadline:
            self._saves.poll()
            time.sleep(0.005)
        self.answer_flushes()

    def poll(self) -> None:
        """Take the results of children, and start the next ones."""
        self._saves.poll()

    def _save(self, recording: ContainerRecording, *, complete: bool, again: bool = False) -> None:
        """Write the file in a child; `again`: once more if one writes it already.

        After that one: of two at once the older content could replace the newer.
        """
        if recording.is_saving:
            if again:
                recording.save_again = complete
            return
        recording.is_saving = True

        def write() -> bytes:
            self._write(recording, complete=complete)
            return b""

        def wrote(result: bytes | None) -> None:
            following, recording.save_again = recording.save_again, None
            recording.is_saving = False
            if result is None:
                self._log.write(f"{recording.path.name}: writing it failed")
            if complete:
                self._containers.forget(recording)
            elif following is not None:
                self._save(recording, complete=following)

        self._saves.add(ForkedTask(write, wrote, _SAVE_SECONDS))

    def _write(self, recording: ContainerRecording, *, complete: bool) -> None:
        try:
            content = recording_file.encode_recording(
                recording.path, recording.make_recording(complete=complete)
            )
            self._spool.require_room(recording.path, len(content))
            recording_file.replace_recording(recording.path, content)
        except (OSError, SeclatchError) as error:  # a later save may succeed
            self._log.write(f"{recording.path.name}: {describe_error(error)}")

    def flush(self, request: RecorderRequest) -> None:
        """Answer when the recordings of this name or id have been written."""
        meant = self._containers.find(request.argument)
        if not meant:
            request.answer(msgspec.json.encode({"files": []}))
            return
        self._backend.harvest.catch_up()
        for recording in meant:
            self._save(recording, complete=False, again=True)
        self._flushes.append((request, meant, time.monotonic() + _SAVE_SECONDS))

    def answer_flushes(self) -> None:
        """Answer the flush requests whose recordings have been written or whose time is over."""
        waiting = []
        for request, meant, deadline in self._flushes:
            if any(each.is_saving for each in meant) and time.monotonic() < deadline:
                waiting.append((request, meant, deadline))
                continue
            files = [str(each.path) for each in meant if each.path.exists()]
            answer = {"files": files, "log": str(self._spool.path / "log")}
            request.answer(msgspec.json.encode(answer))
        self._flushes = waiting
