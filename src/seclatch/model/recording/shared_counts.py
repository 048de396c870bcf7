"""What of a recording may leave its host: counts, and no command line."""

from __future__ import annotations

from msgspec.structs import replace

from seclatch.model.duration import read_duration
from seclatch.model.recording.executed_programs import ExecutedProgram
from seclatch.model.recording.merge_recordings import merge_recordings
from seclatch.model.recording.recording import ReadyMark, Recording
from seclatch.model.recording.recording_sums import RecordingSums

_KINDS = ("accept", "command", "healthy", "listen", "log", "mark", "notify")
"""Conditions of `record --ready`, but for times and commands; `mark` is by hand."""


def strip_recording(recording: Recording | RecordingSums) -> Recording:
    """Return a merged recording without command lines, processes, events, pods.

    Arguments of commands may be secrets. Paths of executed programs stay: a scan needs them.
    """
    merged = merge_recordings([recording])
    programs = {program.exe: ExecutedProgram(exe=program.exe) for program in merged.executed}
    return replace(
        merged,
        commands=[],
        executed=[programs[exe] for exe in sorted(programs)],
        ready=_strip_mark(merged.ready) if merged.ready else None,
    )


def _strip_mark(mark: ReadyMark) -> ReadyMark:
    """Return the mark with the kind of each condition alone: `listen` of `listen:6379`."""
    kinds = {_name_kind(word) for word in mark.condition.split(", ")}
    return replace(mark, condition=", ".join(sorted(kinds)))


def _name_kind(condition: str) -> str:
    """Return the kind of a condition; a command, or a piece of one, may have passwords in it."""
    kind = condition.partition(":")[0]
    return kind if kind in _KINDS or read_duration(kind) is not None else "command"


def find_unshared(recording: Recording | RecordingSums) -> str:
    """Return what a recording has that counts have not; "" if it is counts alone."""
    if recording.commands or any(program.argv for program in recording.executed):
        return "command lines"
    if recording.processes or recording.containers:
        return "processes or containers"
    return ""
