"""Start programs under a filter by the static program seclatch-apply (native/apply).

See docs/decisions/0040 (loading at the exec stop).
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

from seclatch.apply.loadable import Loadable
from seclatch.errors import SeclatchError
from seclatch.runtime.find_latch import find_latch

Word = str | os.PathLike[str]


def exec_program(loadable: Loadable, args: Sequence[Word], *, allow_exec: bool = False) -> NoReturn:
    """Replace this process by the program: same pid, files, terminal. Raises SeclatchError."""
    with _handed_over(loadable) as fd:
        words = make_command_line(loadable, fd, args, allow_exec=allow_exec)
        # Python ignores these from its start, and an ignored signal stays ignored over an exec.
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        try:
            os.execv(words[0], words)  # noqa: S606 (there is no shell)
        except OSError as error:
            raise SeclatchError(
                f"executing {words[0]}: {error.strerror}", remedy="install seclatch again"
            ) from error


def start_program(
    loadable: Loadable, args: Sequence[Word], *, allow_exec: bool = False, **options: Any
) -> subprocess.Popen[Any]:
    """Start the program as a child; `options` are those of subprocess.Popen.

    The child's pid is the program's own. Status 125: nothing was started, and stderr says why.
    """
    _refuse_others(options)
    with _handed_over(loadable) as fd:
        words = make_command_line(loadable, fd, args, allow_exec=allow_exec)
        more = tuple(options.pop("pass_fds", ()))
        return subprocess.Popen(words, pass_fds=(fd, *more), **options)


def run_program(
    loadable: Loadable, args: Sequence[Word], *, allow_exec: bool = False, **options: Any
) -> subprocess.CompletedProcess[Any]:
    """Run the program until it ends; `options` are those of subprocess.run."""
    _refuse_others(options)
    with _handed_over(loadable) as fd:
        words = make_command_line(loadable, fd, args, allow_exec=allow_exec)
        more = tuple(options.pop("pass_fds", ()))
        check = options.pop("check", False)
        return subprocess.run(words, pass_fds=(fd, *more), check=check, **options)


def make_command_line(
    loadable: Loadable, fd: int, args: Sequence[Word], *, allow_exec: bool
) -> list[str]:
    """Return the arguments that call seclatch-apply, which reads the filter from `fd`."""
    if isinstance(args, str | bytes | os.PathLike):
        raise SeclatchError(f"the command is one word: {args!r}", remedy="give a list of words")
    if not args:
        raise SeclatchError("no command given", status=2)
    option = ["--allow-exec"] if allow_exec else []
    flags = ["--flags", str(loadable.flags)] if loadable.flags else []
    program = str(find_latch("apply"))
    return [program, *option, *flags, "--fd", str(fd), "--", *(os.fspath(word) for word in args)]


def _refuse_others(options: Mapping[str, Any]) -> None:
    """Refuse options with which subprocess would start another program, under no filter."""
    for name in ("executable", "shell"):
        if options.get(name):
            raise SeclatchError(
                f"starting with {name}={options[name]!r}: nothing would be under the profile",
                remedy="give the program, or sh -c and its text, as the command",
            )


@contextmanager
def _handed_over(loadable: Loadable) -> Iterator[int]:
    """Yield a memfd with the filter that is inherited over an exec; close it here at the end."""
    fd = os.memfd_create("seclatch-filter", 0)
    try:
        os.write(fd, loadable.code)
        os.lseek(fd, 0, os.SEEK_SET)
        yield fd
    finally:
        os.close(fd)
