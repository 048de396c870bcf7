"""Sentences that several causes need."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re

from seclatch.model.explanation import ExplainedDenial

_LONG = 300
# Those whose words an error ends with; rare first, since "no such file" is in many a sentence.
_NUMBERS = [
    30,
    28,
    122,
    24,
    23,
    12,
    8,
    40,
    36,
    26,
    22,
    20,
    21,
    39,
    16,
    17,
    98,
    99,
    13,
    1,
    11,
    2,
    38,
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
    """`close(3) with EPERM`."""
    if denial.errno:
        return f"{describe_call(denial)} with {denial.errno}"
    return f"{describe_call(denial)} ({denial.signal or 'answered by a supervisor'})"


def describe_call(denial: ExplainedDenial) -> str:
    """`prctl(PR_CAPBSET_DROP, 2)`."""
    return f"{denial.syscall}({', '.join(denial.arguments)})"


def strip_prefixes(text: str) -> str:
    """An engine's error without what every one of its errors begins with."""
    if found := _LOGRUS.match(text):
        try:
            text = json.loads(found[1]) if found[1].startswith('"') else found[1]
        except ValueError:
            text = found[1]
    if text.startswith('{"msg"'):
        with contextlib.suppress(ValueError, TypeError, KeyError):
            text = str(json.loads(text)["msg"])
    while (shorter := _strip(text)) != text:
        text = shorter
    return text if len(text) <= _LONG else text[:_LONG] + "…"


def _strip(text: str) -> str:
    for prefix in _PREFIXES:
        text = text.removeprefix(prefix)
    return text


def find_errno(text: str) -> int:
    """The errno that a sentence tells of by its words, 0 if none."""
    words = text.lower()
    for number in _NUMBERS:
        if os.strerror(number).lower() in words:
            return number
    return 0


def mentions_errno(text: str, number: int) -> bool:
    """Whether a sentence is about this error. People write EPERM as "permission denied" too."""
    told = find_errno(text)
    return told == number or {told, number} == {errno.EPERM, errno.EACCES}


def sounds_like_error(text: str) -> bool:
    """Whether a line is about something that went wrong, and not a hint or progress."""
    return bool(_ERROR.search(text))
