"""A command of the user that succeeds once the program is ready: `redis-cli ping`, curl."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from collections.abc import Sequence

from seclatch.errors import SeclatchError
from seclatch.recording.ready.ready_condition import ReadyCondition, ReadyView

_EVERY = 0.5
_LIMIT = 10.0


class RepeatedQuery:
    """Runs a command again and again in the background, each for at most ten seconds.

    Its output is `answer` when it has succeeded; `keeps_output` is for commands that print little.
    """

    def __init__(self, words: Sequence[str], *, keeps_output: bool = True) -> None:
        self._words = words
        self._output = subprocess.PIPE if keeps_output else subprocess.DEVNULL
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self.answer = b""

    def poll(self) -> bool:
        """Return whether a run has succeeded since the last call; begin the next one when due."""
        now = time.monotonic()
        process = self._process
        if process is None:
            if now - self._started >= _EVERY:
                self._process, self._started = _start(self._words, self._output), now
            return False
        if process.poll() is None:
            if now - self._started > _LIMIT:
                self.close()
            return False
        self.answer = process.communicate()[0] or b""
        self._process = None
        return process.returncode == 0

    def close(self) -> None:
        """End the run that is under way."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.communicate()


class ReadyCommand(ReadyCondition):
    """The command is run every half second until it exits with 0."""

    def __init__(self, text: str, words: Sequence[str]) -> None:
        super().__init__(text)
        # a command that fills a pipe without a reader would block for ever (pipe(7))
        self._query = RepeatedQuery(words, keeps_output=False)

    def is_met(self, view: ReadyView) -> bool:
        """Return whether a run has succeeded."""
        return self._query.poll()

    def close(self) -> None:
        """End the run that is under way."""
        self._query.close()


def _start(words: Sequence[str], output: int) -> subprocess.Popen[bytes]:
    """Start a command without the recorder's blocked signals. Raises SeclatchError."""
    # Popen hands the mask of its caller on; preexec_fn is safe in this process of one thread.
    try:
        return subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.DEVNULL,
            preexec_fn=_unblock_signals,  # noqa: PLW1509
        )
    except OSError as error:
        raise SeclatchError(f"running {words[0]}: {error.strerror}", status=2) from error


def _unblock_signals() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
