"""Continue the recordings that an earlier recorder left, of containers that still run."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

from seclatch.errors import SeclatchError
from seclatch.recording.annotated.annotation import AnnotationRequest
from seclatch.recording.annotated.container_recording import ContainerRecording, FormerPart
from seclatch.recording.annotated.recorded_containers import RecordedContainers
from seclatch.recording.annotated.recorder_log import RecorderLog, describe_error
from seclatch.recording.annotated.running_state import (
    ContainerIdentity,
    RunningState,
    hold_container,
    read_states,
    remove_state,
)
from seclatch.recording.annotated.save_recordings import SAVE_FIRST
from seclatch.recording.annotated.spool import RecordingSpool
from seclatch.recording.backends.bpf.container_scope import ContainerScope
from seclatch.recording.backends.bpf.shared_backend import SharedEbpf
from seclatch.recording.files import recording_file
from seclatch.system.bpf import VerifierError

_LEFT_BEHIND = re.compile(r"\..+\.[0-9a-f]{12}")  # by a child that was killed while it wrote


def remove_partial_files(spool: RecordingSpool) -> None:
    """Remove the files of writes that were never finished."""
    for path in spool.path.iterdir():
        if _LEFT_BEHIND.fullmatch(path.name):
            path.unlink(missing_ok=True)


def resume_recordings(
    spool: RecordingSpool, backend: SharedEbpf, containers: RecordedContainers, log: RecorderLog
) -> None:
    """Continue the recordings of containers that still run; remove the states of the others."""
    for state in read_states(spool.path):
        path = spool.path / state.file
        try:
            if state.identity is None or not _continue(
                path, state, state.identity, backend, containers
            ):
                log.write(f"{state.file}: its container ended while no recorder ran")
                remove_state(spool.path, state.file)
        except (OSError, SeclatchError, VerifierError) as error:
            log.write(f"{state.file}: it is not continued: {describe_error(error)}")
            remove_state(spool.path, state.file)


def _continue(
    path: Path,
    state: RunningState,
    identity: ContainerIdentity,
    backend: SharedEbpf,
    containers: RecordedContainers,
) -> bool:
    """Follow a container that was being recorded; False if it has ended."""
    held = hold_container(identity)
    if held is None:
        return False
    before = path.read_bytes() if path.exists() else b""
    # It must be readable now, and not only when it is to be written again.
    ready = recording_file.read_recording(path).ready if before else None
    number = containers.take_number()
    scope = ContainerScope(mounts=identity.mounts, word=state.identifier)
    trace = backend.follow_running(number, scope)
    if trace is None:
        os.close(held)
        return False
    wish = AnnotationRequest(state.name, state.identifier, state.pod)
    recording = ContainerRecording(number, wish, path, scope, trace, image=state.image)
    recording.former = FormerPart(before, state.started)
    recording.resume(held, identity)
    if ready:
        backend.harvest.catch_up()
        recording.mark(ready.condition)
    recording.next_save = time.monotonic() + SAVE_FIRST
    containers.add(recording)
    return True
