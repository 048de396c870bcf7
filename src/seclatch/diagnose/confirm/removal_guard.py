"""End and remove the container of a further run if this program is killed before it could.

SIGKILL leaves no time for that, and the engine's client lives on. So a process in a session of its
own holds the other end of a pipe, which the kernel closes with this program, whatever ends it.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from seclatch.diagnose.confirm.client_command.second_run import CannotRunAgainError, SecondRun

_DONE = b"."
_INTERVAL = 1.0
_CLIENT_SECONDS = 30.0
"""How long a client may go on after the removal of its container, until it is killed."""

_AFTERWARDS = 3
"""Removals after the client's end, one a second."""


@contextlib.contextmanager
def guard_removal(second: SecondRun, folder: Path) -> Iterator[SecondRun]:
    """Yield the run to make; if this program is killed, what it has made and the folder go.

    Raises CannotRunAgainError.
    """
    reading, writing = os.pipe()
    try:
        guard = os.fork()
    except OSError as error:
        raise CannotRunAgainError(f"no process could be made: {error.strerror}") from error
    if guard == 0:
        _run_guard(reading, second, folder)

    def prepare() -> None:
        os.write(writing, b"%d\n" % os.getpid())  # in the client's process, which SIGPIPE kills
        second.prepare()

    try:
        yield replace(second, prepare=prepare)
    finally:
        os.write(writing, _DONE)
        os.close(writing)
        os.close(reading)  # open until now: a guard that was killed must not end the client
        os.waitpid(guard, 0)


def _run_guard(pipe: int, second: SecondRun, folder: Path) -> None:
    """In the guard: wait for the pipe's end, then clean up. Does not return."""
    try:
        os.setsid()  # neither the terminal's signals nor those to the process group
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        _close_files(pipe)
        client: int | None = None
        while data := os.read(pipe, 64):
            if data.endswith(_DONE):
                return
            with contextlib.suppress(OSError):  # it has ended
                client = os.pidfd_open(int(data))
        if client is not None:
            _remove(second, client)
        shutil.rmtree(folder, ignore_errors=True)
        _remove_late(second)
    finally:
        os._exit(0)


def _close_files(kept: int) -> None:
    """Close what was inherited: the other end of the pipe, and this program's output."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(nothing, number)
    # Not up to the limit on their number: it may be 2^30 (systemd's infinity).
    inherited = [int(file.name) for file in Path("/proc/self/fd").iterdir()]
    for number in inherited:
        if number > 2 and number != kept:
            with contextlib.suppress(OSError):  # that of the directory is closed already
                os.close(number)


def _remove(second: SecondRun, client: int) -> None:
    """End and remove a run's container, however far its client has come with it."""
    end = time.monotonic() + _CLIENT_SECONDS
    while True:
        _call_all(second)
        if time.monotonic() > end:
            _signal(client, signal.SIGKILL)
        elif not second.stop:
            _signal(client, signal.SIGTERM)
        if select.select([client], [], [], _INTERVAL)[0]:  # it has ended (pidfd_open(2))
            return


def _remove_late(second: SecondRun) -> None:
    """Remove what a daemon was still making for a client that was killed, too."""
    for _ in range(_AFTERWARDS if second.stop else 0):
        _call_all(second)
        time.sleep(_INTERVAL)


def _call_all(second: SecondRun) -> None:
    for words in (*second.stop, *second.removal):
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(words, check=False, timeout=_CLIENT_SECONDS)


def _signal(client: int, number: signal.Signals) -> None:
    with contextlib.suppress(OSError):
        signal.pidfd_send_signal(client, number)
