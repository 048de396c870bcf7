"""The terminal from which `seclatch run` was started."""

from __future__ import annotations

import contextlib
import os
import signal
import termios
from collections.abc import Iterator
from typing import Any

from seclatch.errors import InputError, SeclatchError


def wants_terminal(tty: bool | None) -> bool:
    """Decide whether the container gets a terminal; `tty` is the user's option, None if not given.

    By default it gets one if both input and output are terminals: `seclatch run ls | less` must not
    turn the pipe's lines into terminal lines. Raises InputError for --tty without a terminal.
    """
    if tty is None:
        return os.isatty(0) and os.isatty(1)
    if tty and not os.isatty(0):
        raise InputError(
            "--tty", "", "the standard input is not a terminal", remedy="leave --tty out"
        )
    return tty


def read_terminal_size() -> tuple[int, int] | None:
    """Return the terminal's columns and lines; None if it has no size."""
    try:
        columns, lines = os.get_terminal_size(0)
    except OSError:
        return None
    return (columns, lines) if columns and lines else None


def wait_for_foreground() -> None:
    """Stop as a background job of the shell until it is brought to the foreground.

    Setting the terminal from the background stops a job (SIGTTOU, termios(3)). runc catches that
    signal and retries for ever, so this must happen before it starts. Raises SeclatchError if there
    is no shell that could continue the job.
    """
    try:
        termios.tcsetattr(0, termios.TCSANOW, termios.tcgetattr(0))
    except termios.error as error:
        raise SeclatchError(
            f"cannot take the terminal from the background: {error.args[1]}",
            remedy="run it in the foreground, or with --no-tty",
        ) from error


@contextlib.contextmanager
def restore_terminal() -> Iterator[None]:
    """Restore the terminal's settings at the end, should the runtime die before it does so."""
    try:
        before = termios.tcgetattr(0)
    except termios.error:
        yield
        return
    try:
        yield
    finally:
        with contextlib.suppress(termios.error):  # the terminal may be gone (SIGHUP)
            if termios.tcgetattr(0) != before:
                _set(before)


def _set(attributes: list[Any]) -> None:
    """Set the attributes, also from the background, where SIGTTOU would stop this process."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
    try:
        termios.tcsetattr(0, termios.TCSANOW, attributes)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
