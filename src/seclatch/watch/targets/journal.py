"""journald, by its native protocol: text, and fields beside it (systemd.journal-fields(7)).

The protocol: https://systemd.io/JOURNAL_NATIVE_PROTOCOL/.
"""

from __future__ import annotations

import socket
import struct

from seclatch.errors import SeclatchError
from seclatch.model.denial_log import LoggedDenial, LogLine
from seclatch.watch.targets.denial_text import describe_denial, describe_event
from seclatch.watch.targets.log_target import LogTarget

SOCKET = "/run/systemd/journal/socket"
_WARNING, _INFO = "4", "6"


class Journal(LogTarget):
    """Sends each line as an entry; those that journald does not take are counted."""

    name = "the journal"

    def __init__(self, path: str = SOCKET) -> None:
        """Raise SeclatchError where no journald listens."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._path = path
        try:
            self._connect()
        except OSError as error:
            raise SeclatchError(
                f"writing to the journal: {path}: {error.strerror}",
                remedy="use --syslog, or -o FILE, where systemd-journald does not run",
            ) from error

    def write(self, line: LogLine) -> None:
        """Send a line; after a restart of journald over a new connection."""
        entry = encode_entry(make_fields(line))
        try:
            self._send(entry)
        except OSError as error:
            self.failed += 1
            self.reason = error.strerror or str(error)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _connect(self) -> None:
        self._socket.setblocking(False)
        self._socket.connect(self._path)

    def _send(self, entry: bytes) -> None:
        try:
            self._socket.send(entry)
        except OSError:
            self._socket.close()
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._connect()
            self._socket.send(entry)


def make_fields(line: LogLine) -> dict[str, str]:
    """Return an entry's fields."""
    fields = {"SYSLOG_IDENTIFIER": "seclatch", "PRIORITY": _INFO}
    if not isinstance(line, LoggedDenial):
        return {**fields, "MESSAGE": describe_event(line), "SECLATCH_EVENT": line.event}
    text = describe_denial(line) + (f"  {line.count} times" if line.count > 1 else "")
    return {
        **fields,
        "PRIORITY": _WARNING,
        "MESSAGE": text,
        "SECLATCH_SYSCALL": line.syscall or f"#{line.number}",
        "SECLATCH_ANSWER": line.answer,
        "SECLATCH_ERRNO": line.errno,
        "SECLATCH_COUNT": str(line.count),
        "SECLATCH_STAGE": line.stage,
        "SECLATCH_PID": str(line.pid),
        "SECLATCH_EXE": line.exe,
        "SECLATCH_UNIT": line.unit,
        "SECLATCH_PROFILE": line.filter.profile,
        "CONTAINER_ID_FULL": line.container.id if line.container else "",
        "CONTAINER_NAME": line.container.name if line.container else "",
        "IMAGE_NAME": line.container.image if line.container else "",
    }


def encode_entry(fields: dict[str, str]) -> bytes:
    """Encode an entry. Each value has its length in front: none can forge a field."""
    entry = b""
    for name, value in fields.items():
        content = value.encode("utf-8", "backslashreplace")
        entry += name.encode() + b"\n" + struct.pack("<Q", len(content)) + content + b"\n"
    return entry
