"""How processes and their ends are named, the same on a page and in a terminal."""

from __future__ import annotations

import shlex
import signal
from pathlib import PurePosixPath

from seclatch.model.recording.recording import ProcessImage, RecordedProcess
from seclatch.model.stage import Stage

STAGE_LINE = [each.value for each in Stage]


def command_line(argv: list[str], limit: int = 120) -> str:
    """Join arguments as a shell would take them, the program by its base name."""
    if not argv:
        return ""
    first = PurePosixPath(argv[0]).name or argv[0]
    text = shlex.join([first, *argv[1:]])
    return text if len(text) <= limit else text[: limit - 1] + "…"


_VERBS = frozenset(
    ("run", "create", "start", "exec", "init", "delete", "kill", "state", "events", "features")
)
_CLIENTS = frozenset(
    ("docker", "podman", "nerdctl", "ctr", "crictl", "runc", "crun", "youki", "seclatch")
)


def shorten_command(image: ProcessImage) -> str:
    """Shorten a command line: leave out what stands between an engine or runtime and its verb."""
    argv = image.argv
    if len(argv) > 1 and PurePosixPath(argv[1]).name in _CLIENTS:
        argv = argv[1:]  # a script, and its interpreter before it
    words = command_line(argv) or image.exe
    program = PurePosixPath(argv[0]).name if argv else ""
    if program.removeprefix("seclatch-") in _CLIENTS:
        for index, word in enumerate(argv[1:5], 1):
            if word in _VERBS:
                return command_line([program, *argv[index:]])
        verb = next((word for word in argv[1:] if word in _VERBS), None)
        return f"{program} … {verb}" if verb else words
    return words


def name_process(process: RecordedProcess, parents: dict[int, RecordedProcess]) -> str:
    """Name a process by its last program, or by the process that forked it.

    The container's first program stands in front, if it exec'd another.
    """
    if process.images:
        last = process.images[-1]
        first = next((each for each in process.images if each.stage == Stage.PROGRAM.value), last)
        name = command_line(first.argv[:1]) or first.exe
        return shorten_command(last) if first is last else f"{name} → {shorten_command(last)}"
    seen = {process.id}
    parent = parents.get(process.parent) if process.parent is not None else None
    while parent and not parent.images and parent.parent is not None and parent.id not in seen:
        seen.add(parent.id)
        parent = parents.get(parent.parent)
    image = _image_at(parent, process.began) if parent else None
    if not image:
        return "a fork"
    return f"{shorten_command(image)} (fork)"


def _image_at(process: RecordedProcess, time: float) -> ProcessImage | None:
    earlier = [image for image in process.images if image.time <= time]
    return earlier[-1] if earlier else next(iter(process.images), None)


def describe_ending(status: int | None) -> str:
    """Say how a process ended; `status` as wait(2) has it."""
    if status is None:
        return "was still there"
    number = status & 0x7F
    if not number:
        return f"exit {status >> 8 & 0xFF}"
    try:
        return f"killed by {signal.Signals(number).name}"
    except ValueError:
        return f"killed by signal {number}"


def format_duration(seconds: float) -> str:
    """Write a time for people: `170 µs`, `12.3 ms`, `4.213 s`, `42.13 s`, `2 min 3 s`."""
    if seconds >= 60:
        return f"{int(seconds) // 60} min {int(seconds) % 60} s"
    if seconds >= 1:  # a start on a busy machine takes that long, and milliseconds tell it apart
        return f"{seconds:.3f} s" if seconds < 10 else f"{seconds:.2f} s"
    if seconds >= 0.001:
        return f"{seconds * 1000:.1f} ms"
    return f"{seconds * 1e6:.0f} µs"


def list_some(names: list[str], limit: int = 6) -> str:
    """Name a few, and say how many more."""
    shown = ", ".join(names[:limit])
    more = len(names) - limit
    return f"{shown} and {more} more" if more > 0 else shown
