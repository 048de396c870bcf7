"""Read the text of `--ready`."""

from __future__ import annotations

import shlex
import shutil

from seclatch.errors import SeclatchError
from seclatch.model.duration import read_duration
from seclatch.recording.ready.container_health import HealthyContainer
from seclatch.recording.ready.log_pattern import LogPattern
from seclatch.recording.ready.notify_socket import NotifySocket
from seclatch.recording.ready.program_state import AcceptsConnections, Listens, TimeHasPassed
from seclatch.recording.ready.ready_command import ReadyCommand
from seclatch.recording.ready.ready_condition import ReadyCondition

_REMEDY = "give listen[:PORT], accept, healthy, notify, log:REGEX, a time such as 30s, or a command"


def parse_ready(text: str) -> ReadyCondition:
    """Return the condition. Raises SeclatchError."""
    kind, colon, rest = text.partition(":")
    if kind == "listen":
        return Listens(text, _parse_port(text, rest) if colon else 0)
    if kind == "log":
        return LogPattern(text, rest)
    simple: dict[str, type[AcceptsConnections | HealthyContainer | NotifySocket]] = {
        "accept": AcceptsConnections,
        "healthy": HealthyContainer,
        "notify": NotifySocket,
    }
    if text in simple:
        return simple[text](text)
    seconds = read_duration(text)
    if seconds is not None:
        return TimeHasPassed(text, seconds)
    return ReadyCommand(text, _parse_command(text))


def _parse_port(text: str, port: str) -> int:
    if not port.isascii() or not port.isdigit() or not 0 < int(port[:6]) < 1 << 16:
        raise SeclatchError(f"--ready {text}: {port!r} is no TCP port", status=2)
    return int(port)


def _parse_command(text: str) -> list[str]:
    """Split a command as a shell does; it is run without one."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise SeclatchError(f"--ready {text}: {error}", remedy=_REMEDY, status=2) from error
    if not words or shutil.which(words[0]) is None:
        what = words[0] if words else "an empty text"
        raise SeclatchError(
            f"--ready {text}: {what} is no condition, and no program that can be run",
            remedy=_REMEDY,
            status=2,
        )
    return words
