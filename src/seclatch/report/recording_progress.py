"""What `seclatch record` says while it records, and at the end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from seclatch.model.recording.recording import (
    RecordedCalls,
    RecordedDenial,
    RecordedProcess,
    Recording,
)
from seclatch.report.document.recording_gaps import describe_gaps


class ProgressFollower:
    """Report each call of a stage when it is seen for the first time."""

    def __init__(self) -> None:
        self._seen: set[tuple[str, str, str]] = set()

    def news(self, recording: Recording) -> Iterator[str]:
        """Return a line for each call, and each denied call, that is new: stage, call, process.

        The stage is provisional: until a filter load or an exec is recorded, init counts as the
        client.
        """
        processes = {each.id: each for each in recording.processes}
        made: list[RecordedCalls | RecordedDenial] = [*recording.calls, *recording.denials]
        for each in made:
            verdict = "denied" if isinstance(each, RecordedDenial) else ""
            name = each.name or f"#{each.number}"
            key = (each.stage, name, verdict)
            if key not in self._seen:
                self._seen.add(key)
                who = _name(processes.get(-1 if each.process is None else each.process))
                yield f"{each.stage:<14} {f'{name} {verdict}'.rstrip():<24} {who}".rstrip()


def _name(process: RecordedProcess | None) -> str:
    """Name a process by its last program and its pid."""
    if process is None:
        return ""
    program = PurePosixPath(process.images[-1].exe).name if process.images else "?"
    return f"{program}[{process.pid}]"


def sum_up_so_far(recording: Recording) -> str:
    """One short line while the recorder is at work."""
    calls = sum(each.count for each in recording.calls)
    denied = sum(each.count for each in recording.denials)
    living = sum(each.ended is None for each in recording.processes)
    return (
        f"{recording.duration:.0f} s, {calls:,} calls of {len(recording.processes):,} processes, "
        f"{living:,} of them running" + (f", {denied:,} denied" if denied else "")
    )


def describe_recording(recording: Recording, path: str) -> Iterator[str]:
    """Sum a recording up, a sentence each; what is missing from it is never left out."""
    calls = sum(each.count for each in recording.calls)
    denied = sum(each.count for each in recording.denials)
    processes = len(recording.processes)
    yield (
        f"recorded {calls:,} calls of {processes:,} process{'' if processes == 1 else 'es'}"
        + (f", {denied:,} denied" if denied else "")
        + f", in {path}"
    )
    lost = recording.lost
    if lost.events or lost.processes or lost.calls:
        yield (
            f"not everything: {lost.calls:,} calls cannot be told whose, {lost.processes:,} "
            f"processes not kept apart, {lost.events:,} events lost"
        )
    if lost.arguments:
        yield f"{lost.arguments:,} arguments were not kept"
    yield from describe_gaps(recording)
