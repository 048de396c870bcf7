"""What `seclatch record` says on standard error, as long as anybody listens."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from seclatch.output.printable_text import make_printable

if TYPE_CHECKING:
    from pathlib import Path

    from seclatch.model.recording.recording import Recording


def print_sentences(lines: Iterable[str]) -> None:
    """Say some sentences, a line each."""
    for line in lines:
        echo_error(f"seclatch: {make_printable(line)}")


def echo_error(text: str, *, nl: bool = True) -> None:
    """Write to standard error; a closed one does not end the recording."""
    import click

    with contextlib.suppress(OSError):
        click.echo(text, nl=nl, err=True)


def describe_recording(recording: Recording, path: Path) -> None:
    """Sum the recording up."""
    from seclatch.report.recording_progress import describe_recording as tell

    print_sentences(tell(recording, str(path)))


def make_observer(*, follow: bool, shown: bool) -> Callable[[Recording], None] | None:
    """Return the function that reports progress while recording, if any."""
    if follow:
        from seclatch.report.recording_progress import ProgressFollower

        follower = ProgressFollower()
        return lambda recording: print_sentences(follower.news(recording))
    return _show if shown else None


def _show(recording: Recording) -> None:
    from seclatch.report.recording_progress import sum_up_so_far

    line = f"seclatch: {sum_up_so_far(recording)}; ctrl-C ends this"
    echo_error(f"\r\033[K{line}", nl=False)
