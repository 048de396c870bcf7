"""The log of a container that runs already, from its engine's client (`docker logs --follow`)."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator

from seclatch.recording.ready.ready_condition import EngineContainer

_BLOCK = 1 << 16
_NEVER = "0001-"  # Go's zero time
_RESTART = 1.0
_BLOCKS = 64
"""Blocks that are searched before other work is done."""


class EngineLog:
    """Follows one container's log from the end of its last run on. `rest`: an unfinished line."""

    def __init__(self, container: EngineContainer) -> None:
        self.rest = b""
        self._started = time.monotonic()
        words = [*container.client, "logs", "--follow"]
        if ended := _read_end(container):
            words += ["--since", ended]
        self._process: subprocess.Popen[bytes] | None = None
        self._reading, writing = os.pipe()
        os.set_blocking(self._reading, False)
        try:
            self._process = subprocess.Popen(
                [*words, container.identifier],
                stdin=subprocess.DEVNULL,
                stdout=writing,
                stderr=writing,
            )
        except OSError:
            self._process = None
        finally:
            os.close(writing)

    def read(self) -> Iterator[bytes]:
        """Yield what is there, a bounded amount."""
        for _ in range(_BLOCKS):
            try:
                block = os.read(self._reading, _BLOCK)
            except BlockingIOError:
                return
            if not block:
                return
            yield block

    def has_ended(self) -> bool:
        """Return whether the client has ended, and was started a while ago."""
        late = time.monotonic() - self._started > _RESTART
        return late and (self._process is None or self._process.poll() is not None)

    def close(self) -> None:
        """End the client."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        os.close(self._reading)


def _read_end(container: EngineContainer) -> str:
    """Return when the container's run before this one ended; "" if there was none.

    What it logs first may be older than its start: engines note that once the runtime has returned.
    """
    query = ("container", "inspect", "--format", "{{json .State.FinishedAt}}")
    try:
        done = subprocess.run(
            [*container.client, *query, container.identifier],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    text = done.stdout.decode("ascii", "replace").strip().strip('"')
    never = text.startswith(_NEVER) or not text[:1].isdigit()
    return text if done.returncode == 0 and not never else ""
