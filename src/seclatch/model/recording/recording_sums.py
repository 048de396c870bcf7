"""The parts of a recording that are merged."""

from __future__ import annotations

import msgspec

from seclatch.model.recording.executed_programs import ExecutedProgram
from seclatch.model.recording.origin import ContainerImage, Software
from seclatch.model.recording.process_context import ProcessContext
from seclatch.model.recording.recorded_bounds import RecordedBound
from seclatch.model.recording.recording import (
    DeniedArgument,
    LostCounts,
    ReadyMark,
    RecordedArgument,
    RecordedCalls,
    RecordedContainer,
    RecordedDenial,
    RecordedHost,
    RecordedProcess,
    RecordedRole,
    RecordedSession,
)


class RecordingSums(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of a recording that are merged.

    A decoder of this type skips events, which are most of a file.
    """

    schema: int
    seclatch: str
    complete: bool
    runs: int = 1
    commands: list[list[str]]
    started: str
    duration: float
    hosts: list[RecordedHost]
    runtimes: list[str]
    containers: list[RecordedContainer] = []
    sessions: list[RecordedSession] = []
    processes: list[RecordedProcess] = []
    calls: list[RecordedCalls]
    denials: list[RecordedDenial]
    arguments: list[RecordedArgument]
    lost: LostCounts = LostCounts()
    images: list[ContainerImage] = []
    software: list[Software] = []
    contexts: list[ProcessContext] = []
    executed: list[ExecutedProgram] = []
    bounds: list[RecordedBound] = []
    denied_arguments: list[DeniedArgument] = []
    container_names: list[str] = []
    ready: ReadyMark | None = None
    roles: list[RecordedRole] = []
