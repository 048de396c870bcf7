"""Describe calls in words, and recognize errors in messages."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re

from seclatch.model.explanation import ExplainedDenial

_MAX_LENGTH = 300
# Errnos whose text may occur in a message; rare ones first, since "no such file" is frequent.
_ERRNOS = [
    *(30, 28, 122, 24, 23, 12, 27, 8, 40, 36, 26, 22, 20, 21, 39, 16, 17, 98, 99, 111, 110, 113),
    *(101, 104, 95, 18, 13, 1, 11, 2, 38),
]
_LOGRUS = re.compile(r'^time="[^"]*" level=\w+ msg=("(?:[^"\\]|\\.)*"|\S+)')
_ERROR = re.compile(
    r"error|fail|denied|permi|cannot|can't|unable|no such|not found|refuse|invalid|fatal|panic|"
    r"bad system call|read-only|already|busy|killed|unknown",
    re.IGNORECASE,
)
_PREFIXES = (
    "docker: Error response from daemon: ",
    "Error response from daemon: ",
    "failed to create task for container: ",
    "failed to create shim task: ",
    "OCI runtime create failed: ",
    "Error: ",
    "ctr: ",
)


def describe_denial(denial: ExplainedDenial) -> str:
    """Return text such as `close(3) with EPERM`."""
    if denial.errno:
        return f"{describe_call(denial)} with {denial.errno}"
    return f"{describe_call(denial)} ({denial.signal or 'answered by a supervisor'})"


def describe_call(denial: ExplainedDenial) -> str:
    """Return text such as `prctl(PR_CAPBSET_DROP, 2)`."""
    return f"{denial.syscall}({', '.join(denial.arguments)})"


def strip_prefixes(text: str) -> str:
    """Return an engine's message without the prefixes that all its errors have."""
    if found := _LOGRUS.match(text):
        try:
            text = json.loads(found[1]) if found[1].startswith('"') else found[1]
        except ValueError:
            text = found[1]
    if text.startswith('{"msg"'):
        with contextlib.suppress(ValueError, TypeError, KeyError):
            text = str(json.loads(text)["msg"])
    while (shorter := _strip_once(text)) != text:
        text = shorter
    return text if len(text) <= _MAX_LENGTH else text[:_MAX_LENGTH] + "…"


def _strip_once(text: str) -> str:
    for prefix in _PREFIXES:
        text = text.removeprefix(prefix)
    return text


def find_errno(text: str) -> int:
    """Return the errno that a message names in the words of strerror(3), 0 if none."""
    words = text.lower()
    for number in _ERRNOS:
        if os.strerror(number).lower() in words:
            return number
    return 0


def mentions_errno(text: str, number: int) -> bool:
    """Return whether a message is about this errno; "permission denied" is also used for EPERM."""
    found = find_errno(text)
    return found == number or {found, number} == {errno.EPERM, errno.EACCES}


def sounds_like_error(text: str) -> bool:
    """Return whether a line reports an error, and not a hint or progress."""
    return bool(_ERROR.search(text))
