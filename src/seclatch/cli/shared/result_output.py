"""Where results go: standard output, or a file that is whole or not there."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

import click

from seclatch.errors import SeclatchError
from seclatch.output.printable_text import clip_printable, make_printable
from seclatch.output.result_file import replace_file


def is_terminal(stream: TextIO | None) -> bool:
    """Is it one? A stream that was closed from the start is None."""
    return stream is not None and stream.isatty()


def require_stdout() -> None:
    """Raise SeclatchError if standard output is closed: click would drop the result in silence."""
    if sys.stdout is None:
        raise SeclatchError(
            "writing the result: standard output is closed",
            remedy="redirect it to a file or to /dev/null",
            status=2,
        )


def write_result(data: str | bytes, output: Path | None) -> None:
    """Write to `output`, or to standard output if it is None."""
    content = data.encode() if isinstance(data, str) else data
    if output is None:
        require_stdout()
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    try:
        replace_file(output, content)
    except OSError as error:
        raise SeclatchError(f"writing {output}: {error.strerror}", status=2) from error


def emit_text(text: str, output: Path | None) -> None:
    """Write what people read: to a file as UTF-8, to standard output in its own encoding."""
    if output is not None:
        write_result(text, output)
        return
    require_stdout()
    sys.stdout.write(text)
    sys.stdout.flush()


def print_warnings(source: str, warnings: Iterable[str]) -> None:
    """Say on stderr what the result does not carry."""
    for warning in warnings:
        click.echo(f"seclatch: {make_printable(source)}: {clip_printable(warning)}", err=True)
