"""A line of the program's output that matches a regular expression.

RE2 matches in time linear in the line's length, whatever the expression: the lines come from the
recorded program, and a backtracking matcher could be held up by them for hours.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from typing import TYPE_CHECKING, Any

from seclatch.errors import SeclatchError
from seclatch.recording.ready.engine_log import EngineLog
from seclatch.recording.ready.ready_condition import EngineContainer, ReadyCondition, ReadyView

if TYPE_CHECKING:
    from collections.abc import Iterable

_BLOCK = 1 << 16
_TRIES, _PAUSE = 50, 0.01
_MAX_LINE = 1 << 16
"""A longer line is searched in pieces."""


class LinePattern:
    """Searches a stream of bytes line by line."""

    def __init__(self, text: str, expression: str) -> None:
        """Raise SeclatchError for an expression that RE2 does not take, or without RE2."""
        try:
            import re2
        except ImportError as error:
            raise SeclatchError(
                f"--ready {text}: google-re2 is not installed",
                remedy="install seclatch with it: pipx install 'seclatch[ready]'",
                status=2,
            ) from error
        options = re2.Options()
        options.log_errors = False
        try:
            self._pattern: Any = re2.compile(expression.encode(), options)
        except re2.error as error:
            reason = error.args[0]
            shown = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
            raise SeclatchError(
                f"--ready {text}: no regular expression of RE2: {shown}", status=2
            ) from error

    def search(self, kept: bytes, block: bytes) -> tuple[bool, bytes]:
        """Search a block after what was `kept` of an unfinished line; return what is kept now."""
        *lines, rest = (kept + block).split(b"\n")
        if len(rest) > _MAX_LINE:
            lines, rest = [*lines, rest], b""
        return any(self._pattern.search(line) for line in lines), rest


class LogPattern(ReadyCondition):
    """The command's output, or its containers' log, has a line that matches.

    A command writes into pipes; a process of its own copies them to the real descriptors, so that
    the program can go on writing when the recorder has ended.
    """

    def __init__(self, text: str, expression: str) -> None:
        super().__init__(text)
        self._pattern = LinePattern(text, expression)
        self._logs: dict[EngineContainer, EngineLog] = {}
        self._found = -1
        self._copier = 0
        self._writing: list[int] = []

    def begin(self, *, client: bool) -> None:
        """Start the copying process; a container's log is read from its engine instead."""
        if client:
            return
        pipes = [os.pipe(), os.pipe()]
        found, report = os.pipe()
        os.set_blocking(found, False)
        self._copier = os.fork()
        if self._copier == 0:
            for _, writing in pipes:
                os.close(writing)
            _copy_streams({pipes[0][0]: 1, pipes[1][0]: 2}, self._pattern, report)
        for reading, _ in pipes:
            os.close(reading)
        os.close(report)
        self._found, self._writing = found, [writing for _, writing in pipes]

    def enter_child(self) -> None:
        """Write into the pipes."""
        for target, writing in zip((1, 2), self._writing, strict=False):
            os.dup2(writing, target)

    def is_met(self, view: ReadyView) -> bool:
        """Return whether a line has matched."""
        if self._found >= 0:
            self._close_writing()
            with contextlib.suppress(BlockingIOError):
                return bool(os.read(self._found, 1))
            return False
        return any(map(self._read_log, view.containers))

    def _read_log(self, container: EngineContainer) -> bool:
        if container not in self._logs:
            self._logs[container] = EngineLog(container)
        log = self._logs[container]
        for block in log.read():
            met, log.rest = self._pattern.search(log.rest, block)
            if met:
                return True
        if log.has_ended():  # its engine was restarted: the next look begins anew
            log.close()
            del self._logs[container]
        return False

    def _close_writing(self) -> None:
        """Close the recorder's own ends once the command has its copies: pipes end with it."""
        writing, self._writing = self._writing, []
        for descriptor in writing:
            os.close(descriptor)

    def close(self) -> None:
        """Stop reading; the copying process ends with the pipes' last writer."""
        self._close_writing()
        if self._found >= 0:
            os.close(self._found)
            self._found = -1
            self._await_copies()
        for log in self._logs.values():
            log.close()

    def _await_copies(self) -> None:
        """Wait a moment for the rest of the output, so that messages come after it."""
        for _ in range(_TRIES):
            if os.waitpid(self._copier, os.WNOHANG)[0]:
                break
            time.sleep(_PAUSE)


def _copy_streams(targets: dict[int, int], pattern: LinePattern, report: int) -> None:
    """In a process of its own: copy until all writers are gone. Does not return."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    kept = dict.fromkeys(targets, b"")
    open_ = dict(targets)
    try:
        while open_:
            for source in _wait(open_):
                block = os.read(source, _BLOCK)
                if not block:
                    del open_[source]
                    continue
                _write_all(open_[source], block)
                met, kept[source] = pattern.search(kept[source], block)
                if met:
                    with contextlib.suppress(OSError):
                        os.write(report, b"1")
    finally:
        os._exit(0)


def _wait(sources: Iterable[int]) -> list[int]:
    return select.select([*sources], [], [])[0]


def _write_all(target: int, block: bytes) -> None:
    """Write a block; output that is closed takes nothing, and the program goes on."""
    with contextlib.suppress(OSError):
        while block:
            block = block[os.write(target, block) :]
