"""`seclatch record`: which system calls a command makes, stage by stage."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from seclatch.report.text import printable

if TYPE_CHECKING:
    from seclatch.model.recording import Recording

_SAVE_EVERY = 5.0
_FOLLOW_EVERY = 0.25


@click.command(
    context_settings={"help_option_names": ["-h", "--help"], "allow_interspersed_args": False},
    options_metavar="[OPTIONS] [--]",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where to write; compressed if it ends in .gz.  [default: COMMAND.recording.json here]",
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    metavar="N",
    help="Record no longer than that; the command goes on.",
)
@click.option("--follow", is_flag=True, help="Tell of each call when a stage first makes it.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
@click.argument("args", nargs=-1, required=True, type=click.UNPROCESSED, metavar="CMD [ARG]...")
def command(
    output: Path | None, seconds: float | None, follow: bool, quiet: bool, args: tuple[str, ...]
) -> None:
    """Run CMD and record the system calls that it and all its descendants make.

    Calls are counted in the kernel, for each process and each stage of a container's start: the
    runtime, its init before and after the filter is loaded, the program. Denied calls are recorded
    with their errno. Nothing of other processes is recorded. The exit status is CMD's own.

    The recording ends when the last process that came from CMD has ended; with ctrl-C once CMD
    itself has. Needs CAP_BPF and CAP_PERFMON (root).

    \b
    Examples:
      seclatch record -- runc run -b bundle name
      seclatch record -o nginx.recording.json.gz -- seclatch run --rootfs DIR -- nginx
      seclatch show nginx.recording.json.gz
      seclatch generate nginx.recording.json.gz > nginx.json
    """
    from seclatch.record import follow as following  # noqa: PLC0415 (--help needs none of it)
    from seclatch.record import store  # noqa: PLC0415
    from seclatch.report import progress  # noqa: PLC0415

    path = output or _free_name(args[0])
    store.require_writable(path)
    follower = progress.Follower()
    saved = [0.0]

    def observe(recording: Recording) -> None:
        if follow:
            _say(follower.news(recording))
        if recording.duration - saved[0] >= _SAVE_EVERY:
            saved[0] = recording.duration
            store.write(path, recording)  # so that it survives the recorder as far as it got

    options = following.Options(
        seconds,
        observe,
        _FOLLOW_EVERY if follow else _SAVE_EVERY,
        lambda sentence: None if quiet else _say([sentence]),
    )
    status, recording = following.record(args, options)
    store.write(path, recording)
    if follow:
        _say(follower.news(recording))
    if not quiet:
        _say(progress.describe(recording, str(path)))
    _leave(status)


def _leave(status: int) -> NoReturn:
    """Exit at once: tearing the interpreter down would hold the caller up for some 8 ms more."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError):  # closed from the start, or by now
            stream.flush()
    os._exit(status)


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(f"seclatch: {printable(line)}", err=True)


def _free_name(program: str) -> Path:
    """Choose a name in the current directory that is not taken: recordings are not replaced."""
    base = Path(program).name or "command"
    path = Path(f"{base}.recording.json")
    number = 2
    while path.exists():
        path = Path(f"{base}-{number}.recording.json")
        number += 1
    return path
