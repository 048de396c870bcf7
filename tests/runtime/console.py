"""A real terminal with `seclatch run` as its session, as a terminal emulator makes it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

HANG = 30  # seconds after which a silent terminal is a failure; no duration is measured


class Console:
    """Runs a command as the foreground session of a new pty, and exchanges text with it."""

    def __init__(self, argv: Sequence[str], *, columns: int = 80, lines: int = 24) -> None:
        self.screen, self.keyboard = pty.openpty()
        self.shown = ""
        self.resize(columns, lines)
        self.process = subprocess.Popen(
            argv,
            stdin=self.keyboard,
            stdout=self.keyboard,
            stderr=self.keyboard,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509
        )

    def __enter__(self) -> Console:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the runtime, not `seclatch run`, which then cleans up as it should."""
        for child in self.children():
            os.kill(child, signal.SIGKILL)
        try:
            self.wait()
        finally:
            self.process.kill()
        os.close(self.screen)
        os.close(self.keyboard)

    def resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self.screen, termios.TIOCSWINSZ, struct.pack("4H", lines, columns, 0, 0))

    def type(self, text: str) -> None:
        os.write(self.screen, text.encode())

    def expect(self, pattern: str) -> re.Match[str]:
        """Read until `pattern` appears; keep the rest for the next call."""
        while not (found := re.search(pattern, self.shown)):
            readable, _, _ = select.select([self.screen], [], [], HANG)
            assert readable, f"waiting for {pattern!r}, the terminal shows {self.shown!r}"
            self.shown += os.read(self.screen, 65536).decode(errors="replace")
        self.shown = self.shown[found.end() :]
        return found

    def settings(self) -> list[Any]:
        return termios.tcgetattr(self.keyboard)

    def children(self) -> list[int]:
        tasks = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        try:
            return [int(each) for each in tasks.read_text().split()]
        except FileNotFoundError:
            return []

    def end(self) -> int:
        """Let a script that ends with `read end` exit, and return its status.

        A script that exits by itself may lose its last output: when the session's leader exits, the
        kernel drops unread output (tty_ldisc_hangup).
        """
        self.type("\n")
        return self.wait()

    def wait(self) -> int:
        return self.process.wait(HANG)
