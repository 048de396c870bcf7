"""The terminal `seclatch run` was started from."""

from __future__ import annotations

import contextlib
import os
import signal
import termios
from collections.abc import Iterator
from typing import Any

from seclatch.errors import InputError, SeclatchError


def wants_terminal(tty: bool | None) -> bool:
    """Decide whether the container gets a terminal; `tty` is what the user said, if anything.

    Unless told, it gets one when both input and output are terminals: `seclatch run ls | less`
    must not turn the pipe's lines into terminal lines. Raises InputError for --tty without one.
    """
    if tty is None:
        return os.isatty(0) and os.isatty(1)
    if tty and not os.isatty(0):
        raise InputError(
            "--tty", "", "the standard input is not a terminal", remedy="leave --tty out"
        )
    return tty


def read_terminal_size() -> tuple[int, int] | None:
    """Answer the terminal's columns and lines, None when it has no size."""
    try:
        columns, lines = os.get_terminal_size(0)
    except OSError:
        return None
    return (columns, lines) if columns and lines else None


def wait_for_foreground() -> None:
    """Stop as a job of the shell until it brings us to the foreground, if we are not there.

    Setting the terminal from the background is what stops a job (SIGTTOU, termios(3)). runc
    catches that signal and tries again for ever, so this must happen before it starts.
    Raises SeclatchError when there is no shell that could wake us.
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
    """Give the terminal back as it was, should the runtime die before it does so itself."""
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
    """Set the attributes, also from the background, where SIGTTOU would stop us (termios(3))."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
    try:
        termios.tcsetattr(0, termios.TCSANOW, attributes)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
