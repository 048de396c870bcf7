"""Programs that a recorded container's processes executed."""

from __future__ import annotations

from seclatch.model.recording.executed_programs import ExecutedProgram
from seclatch.model.recording.recording import Recording
from seclatch.model.recording.recording_sums import RecordingSums
from seclatch.model.stage import Stage


def list_executed(recording: Recording | RecordingSums) -> list[ExecutedProgram]:
    """Return what was executed in the stage `program`, each program and command line once."""
    found = {
        (image.exe, *image.argv): image
        for process in recording.processes
        for image in process.images
        if image.stage == Stage.PROGRAM.value and image.exe
    }
    programs = {key: ExecutedProgram(exe=key[0], argv=list(key[1:])) for key in found}
    programs |= {(each.exe, *each.argv): each for each in recording.executed}
    return [programs[key] for key in sorted(programs)]


def find_health_commands(words: list[str]) -> list[str]:
    """Return the health checks that a recorded `docker run` or `podman run` asked for."""
    option = "--health-cmd"
    found = [word.removeprefix(f"{option}=") for word in words if word.startswith(f"{option}=")]
    after = [words[place + 1] for place, word in enumerate(words[:-1]) if word == option]
    return [text for text in (*found, *after) if text != "none"]
