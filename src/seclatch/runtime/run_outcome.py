"""Map a runtime's exit status and log to the status of `docker run`."""

from __future__ import annotations

import json
from typing import Any

FAILED = 125
NOT_EXECUTABLE = 126
NOT_FOUND = 127

# The log format of each runtime. crun reports a failing exec on stderr in the log's format, so for
# a reader's sake that is text.
LOG_FORMATS = {"runc": "json", "crun": "text"}

_NOT_FOUND = ("executable file not found", "no such file or directory", "not found in $path")
_NOT_EXECUTABLE = (
    "not executable",
    "permission denied",
    "exec format error",
    "is a directory",
    "not a regular file",
)


def map_exit_status(runtime: str, status: int, log: str, program: str) -> int:
    """Return the status of `docker run` for the runtime's own `status` and its log.

    runc and crun exit with 1 both when the program does and when they fail; their log decides: it
    has an error of the start. `program` is the command's first argument: only an error that names
    it means that it is not there or not executable.
    """
    if status == 0:
        return 0
    failure = find_start_failure(runtime, log)
    if failure is None:
        return status
    if program not in failure and "exec" not in failure:
        return FAILED
    text = failure.lower()
    if any(words in text for words in _NOT_FOUND):
        return NOT_FOUND
    if any(words in text for words in _NOT_EXECUTABLE):
        return NOT_EXECUTABLE
    return FAILED


def find_start_failure(runtime: str, log: str) -> str | None:
    """Find the message of a failed start in a runtime's log; None if there is none.

    runc's begin with "runc run failed:", the latch's with its own name; other errors that runc logs
    (when cleaning up) are no failed start. crun logs nothing but its failure by default.
    """
    if runtime != "runc":
        return log.strip() or None
    for line in log.splitlines():
        entry = _entry(line)
        message = entry.get("msg")
        if isinstance(message, str) and message.startswith(("runc run failed:", "seclatch")):
            return message
    return None


def _entry(line: str) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}
