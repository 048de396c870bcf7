"""Read the text of a shell's script: from its arguments, or from the file while it runs.

An entry point is most often a script, and only its text says whether the failure of a command in it
is ignored. The file is read through the process's own root directory, and is untrusted.
"""

from __future__ import annotations

import os
import re
import stat
from itertools import islice
from pathlib import Path, PurePosixPath

from seclatch.recording.trace.event_kinds import EventKind
from seclatch.recording.trace.trace import Segment, Trace
from seclatch.scan.image.shell_words import SHELL, find_operands
from seclatch.system.openat2 import open_in_root

_MAX_SIZE = 64 << 10
_ERREXIT = re.compile(r"-[a-zA-Z]*e")
_SHEBANG_ERREXIT = re.compile(r"#!\S+[ \t]+-[a-zA-Z]*e")


class ScriptReader:
    """Reads the scripts of a growing trace, by segment."""

    def __init__(self) -> None:
        self.found: dict[int, str] = {}
        self._looked = 0

    def watch(self, trace: Trace) -> None:
        """Process new segments; cheap if there are none."""
        new = len(trace.segments) - self._looked
        for number in list(islice(reversed(trace.segments), new)):
            segment = trace.segments[number]
            if segment.kind == EventKind.EXEC and is_shell(segment):
                text = _read_text(segment, trace.processes[segment.process].pid)
                if text:
                    self.found[number] = text
        self._looked += new


def is_shell(segment: Segment) -> bool:
    """Return whether a segment's program is a shell."""
    names = {PurePosixPath(word).name.lstrip("-") for word in (segment.file, *segment.argv[:1])}
    return any(SHELL.fullmatch(name) for name in names if name != "busybox") or (
        len(segment.argv) > 1 and segment.argv[:2] == ("busybox", "sh")
    )


def stops_at_errors(argv: tuple[str, ...], text: str) -> bool:
    """Return whether a shell was started with -e (`set -e` in the text comes later)."""
    options = [word for word in argv[1:4] if word.startswith("-")]
    return any(_ERREXIT.fullmatch(word.replace("c", "")) for word in options) or bool(
        _SHEBANG_ERREXIT.match(text)
    )


def read_script_argument(segment: Segment) -> str:
    """Return the text that a shell was given with -c; "" if it was given none."""
    if not is_shell(segment):
        return ""
    is_text, operands = find_operands(_shell_arguments(segment))
    return operands[0] if is_text and operands else ""


def _shell_arguments(segment: Segment) -> tuple[str, ...]:
    return segment.argv[2 if segment.argv[:1] == ("busybox",) else 1 :]


def _read_text(segment: Segment, pid: int) -> str:
    """Read the script that a shell runs from a file; "" if it cannot be read."""
    is_text, operands = find_operands(_shell_arguments(segment))
    if is_text or not operands:
        return ""
    try:
        return _read_file(pid, operands[0])
    except (OSError, ValueError):
        return ""


def _read_file(pid: int, path: str) -> str:
    """Read a file below a process's root directory. Raises OSError."""
    if not path.startswith("/"):
        path = f"{Path(f'/proc/{pid}/cwd').readlink()}/{path}"
    root = os.open(f"/proc/{pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fd = open_in_root(root, path, os.O_RDONLY | os.O_NONBLOCK)
    finally:
        os.close(root)
    with os.fdopen(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return ""
        return file.read(_MAX_SIZE).decode("utf-8", "replace")
