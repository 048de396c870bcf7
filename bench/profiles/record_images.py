"""Record a command, and write beside the recording which calls each program image made.

`python -m bench.profiles.record_images RECORDING -- COMMAND...`. A recording counts by process:
what an entry script does before it executes the server in the same process counts with the
server's calls. A segment of the trace begins at each exec.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path

from seclatch.model.stage import Stage
from seclatch.recording.files import recording_file
from seclatch.recording.record_command import record_command
from seclatch.recording.recorder import RecordOptions
from seclatch.recording.trace.assign_stages import (
    SELF_EXEC_PREFIXES,
    assign_stages,
    list_ancestry,
)
from seclatch.recording.trace.syscall_names import SyscallNames
from seclatch.recording.trace.trace import Segment, Trace


def images_file(recording: Path) -> Path:
    """Return where the calls of the images of a recording are."""
    return recording.with_suffix(".images")


def list_image_calls(trace: Trace) -> dict[str, list[str]]:
    """Map each program of the container to the names of calls that it made, denied ones too."""
    names, made, staging = SyscallNames(), defaultdict[str, set[str]](set), assign_stages(trace)
    for segment in trace.segments.values():
        if staging.stages.get(segment.id) is Stage.PROGRAM:
            numbers = {*segment.calls, *((compat, number) for compat, number, _ in segment.denied)}
            called = {names.find_row(*number)[2] for number in numbers}
            made[_find_path(trace, segment)] |= called
    return {file: sorted(calls) for file, calls in made.items()}


def _find_path(trace: Trace, segment: Segment) -> str:
    """Return the path of the program that runs; of one that executed itself, as it was first."""
    paths = (each.file for each in list_ancestry(trace, segment))
    return next((path for path in paths if path and not path.startswith(SELF_EXEC_PREFIXES)), "")


def main(output: str, _: str, *command: str) -> int:
    """Record the command after `--`; return its exit status."""
    traces: list[Trace] = []

    def keep(trace: Trace) -> None:
        traces[:] = [trace]

    status, recording = record_command(command, RecordOptions(watch=keep))
    recording_file.write_recording(Path(output), recording)
    images_file(Path(output)).write_text(json.dumps(list_image_calls(traces[0])))
    return status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
