"""Write what `seclatch explain` has found: the explanation, the recording, the changed profile."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Never, TextIO

import click

from seclatch.cli.shared.fast_exit import exit_fast
from seclatch.cli.shared.print_error import print_error
from seclatch.errors import SeclatchError
from seclatch.output.printable_text import make_printable

if TYPE_CHECKING:
    from seclatch.diagnose.write_explanation import OutputForm
    from seclatch.model.explanation import Explanation
    from seclatch.model.recording.recording import Recording


class AnswerWriter:
    """The files that were asked for; the explanation goes to a stream where it has none."""

    def __init__(
        self, output: Path | None, recording: Path | None, fix: Path | None, form: OutputForm
    ) -> None:
        self._output, self._recording, self._fix, self._form = output, recording, fix, form

    def finish_command(self, status: int, explanation: Explanation, kept: Recording) -> Never:
        """Write what was found of a command; exit with its status, whatever cannot be written."""
        with contextlib.suppress(OSError), _print_errors():
            self._write_explanation(explanation, sys.stderr)
        with _print_errors():
            self._write_fix(explanation)
        with _print_errors():
            self._write_recording(kept)
        exit_fast(status)

    def finish_other(self, explanation: Explanation | None, kept: Recording | None) -> Never:
        """Write what was found of a container started elsewhere; exit with 1 if it failed."""
        if kept:
            self._write_recording(kept)
        if explanation is None:
            print_note("no container failed")
            exit_fast(0)
        self._write_explanation(explanation, sys.stdout)
        with _print_errors():
            self._write_fix(explanation)
        exit_fast(0 if explanation.cause == "none" else 1)

    def _write_recording(self, kept: Recording) -> None:
        if self._recording:
            from seclatch.recording.files import recording_file

            recording_file.write_recording(self._recording, kept)

    def _write_fix(self, explanation: Explanation) -> None:
        if self._fix:
            from seclatch.diagnose.write_explanation import write_fix

            changed = write_fix(self._fix, explanation)
            print_note(f"{self._fix} has the changed profile: {changed}")

    def _write_explanation(self, explanation: Explanation, stream: TextIO | None) -> None:
        """Write it to the file, or to the stream (None if that was closed from the start)."""
        from seclatch.diagnose.write_explanation import render_explanation, write_explanation

        if self._output:
            content = render_explanation(explanation, self._form, terminal=False)
            write_explanation(self._output, content)
        elif stream is not None:
            content = render_explanation(
                explanation, self._form, terminal=stream.isatty(), encoding=stream.encoding
            )
            stream.flush()
            stream.buffer.write(content)
            stream.flush()


def print_note(sentence: str) -> None:
    """Print a sentence to standard error, with the program's name."""
    click.echo(f"seclatch: {make_printable(sentence)}", err=True)


@contextlib.contextmanager
def _print_errors() -> Iterator[None]:
    """Print the error where a file cannot be written, and go on: the status is the command's."""
    try:
        yield
    except SeclatchError as error:
        print_error(error)
