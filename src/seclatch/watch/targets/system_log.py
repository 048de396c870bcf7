"""The system log, by the standard library's handler."""

from __future__ import annotations

import logging
import logging.handlers
from pathlib import Path

from seclatch.errors import SeclatchError
from seclatch.model.denial_log import LoggedDenial, LogLine
from seclatch.watch.targets.denial_text import describe_denial, describe_event
from seclatch.watch.targets.log_target import LogTarget

SOCKET = "/dev/log"


class _Handler(logging.handlers.SysLogHandler):
    """Counts what could not be sent, instead of a traceback on stderr."""

    failed = 0
    reason = ""

    def _connect_unixsocket(self, address: str) -> None:
        """Connect; a full queue of a syslogd that hangs is an error and does not block."""
        super()._connect_unixsocket(address)  # type: ignore[misc]
        self.socket.setblocking(False)  # type: ignore[attr-defined]

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (logging's name)
        import sys

        self.failed += 1
        self.reason = str(sys.exc_info()[1])


class SystemLog(LogTarget):
    """Sends each line as a message of facility daemon; it connects again by itself."""

    name = "the system log"

    def __init__(self, path: str = SOCKET) -> None:
        """Raise SeclatchError where nothing listens."""
        try:
            if not Path(path).is_socket():
                raise FileNotFoundError(2, "there is no such socket")
            self._handler = _Handler(path, logging.handlers.SysLogHandler.LOG_DAEMON)
        except OSError as error:
            raise SeclatchError(
                f"writing to the system log: {path}: {error.strerror}",
                remedy="use --journal, or -o FILE, where no syslogd runs",
            ) from error
        self._handler.ident = "seclatch: "

    def write(self, line: LogLine) -> None:
        """Send a line."""
        if isinstance(line, LoggedDenial):
            times = f"  {line.count} times" if line.count > 1 else ""
            level, text = logging.WARNING, describe_denial(line) + times
        else:
            level, text = logging.INFO, describe_event(line)
        self._handler.handle(logging.LogRecord("seclatch", level, "", 0, "%s", (text,), None))

    def close(self) -> None:
        """Close the socket."""
        self._handler.close()

    def take_failed(self) -> tuple[int, str]:
        """Return how many lines were not sent since the last time, and why."""
        failed, self._handler.failed = self._handler.failed, 0
        return failed, self._handler.reason
