"""Standard input and output of runs that are made again.

Input is read once by the first run: a file is read again from where it was, other input is refused.
Output goes nowhere, but by a pipe: several programs do less work when they write to /dev/null.
"""

from __future__ import annotations

import contextlib
import os
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

from seclatch.diagnose.confirm.client_command.second_run import CannotRunAgainError
from seclatch.runtime.runtime_process import fill_standard_files


@dataclass(frozen=True, slots=True)
class RepeatedInput:
    """Where further runs read their input: a file at the offset it had, or nothing (None)."""

    offset: int | None = None

    @contextlib.contextmanager
    def redirect(self) -> Iterator[None]:
        """Give what is started the same input as the first run, and an output that is dropped."""
        filled = fill_standard_files()
        kept = [os.dup(number) for number in range(3)]
        sink = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)  # noqa: S607
        try:
            if sink.stdin:
                for number in (1, 2):
                    os.dup2(sink.stdin.fileno(), number)
                sink.stdin.close()
            if self.offset is None:
                _read_nothing()
                yield
            else:
                with _read_from(self.offset):
                    yield
        finally:
            for number, copy in enumerate(kept):
                os.dup2(copy, number)
                os.close(copy)
            for number in filled:
                os.close(number)
            sink.kill()  # a process that was left running may hold the pipe open
            sink.wait()


def keep_input(*, takes_input: bool, interactive: bool, withhold: bool = True) -> RepeatedInput:
    """Look at the standard input before the first run. Raises CannotRunAgainError.

    A terminal is withheld from all runs, or without `withhold` from the further ones: what is typed
    cannot be typed the same way again.
    """
    if not takes_input:
        return RepeatedInput()
    try:
        mode = os.fstat(0).st_mode
    except OSError:
        return RepeatedInput()
    if stat.S_ISREG(mode):
        return RepeatedInput(os.lseek(0, 0, os.SEEK_CUR))
    if os.isatty(0):
        if interactive:
            raise CannotRunAgainError("it reads from this terminal (-i); run it without")
        if withhold:
            _read_nothing()
        return RepeatedInput()
    if not stat.S_ISCHR(mode):
        raise CannotRunAgainError(
            "its standard input is a pipe, which can be read only once: give it a file (< FILE), "
            "or < /dev/null"
        )
    return RepeatedInput()


def _read_nothing() -> None:
    nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    if nothing != 0:
        os.dup2(nothing, 0)
        os.close(nothing)


@contextlib.contextmanager
def _read_from(offset: int) -> Iterator[None]:
    """Read the file of the standard input from an offset; where the first run left it stays.

    The caller may read on there (`while read line; do seclatch ...; done < FILE`):
    runs read by an open file description of their own (proc_pid_fd(5)), or the offset is put back.
    """
    left = os.lseek(0, 0, os.SEEK_CUR)
    try:
        own = os.open("/proc/self/fd/0", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:  # readable to the process that opened it, but not to this user
        os.lseek(0, offset, os.SEEK_SET)
        try:
            yield
        finally:
            os.lseek(0, left, os.SEEK_SET)
        return
    os.lseek(own, offset, os.SEEK_SET)
    os.dup2(own, 0)
    os.close(own)
    yield
