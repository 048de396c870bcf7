"""Where results go: standard output, or a file that is whole or not there."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import click

from seclatch.errors import SeclatchError
from seclatch.report.text import printable


def emit(data: str | bytes, output: Path | None) -> None:
    """Write to `output`, or to standard output if it is None."""
    content = data.encode() if isinstance(data, str) else data
    if output is None:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    try:
        _replace(output, content)
    except OSError as error:
        raise SeclatchError(f"writing {output}: {error.strerror}", status=2) from error


def _replace(output: Path, content: bytes) -> None:
    """Write beside and rename: no reader sees half a file, and none is left on failure.

    A link stays one and its target is replaced; a device or a pipe is written to.
    """
    output = Path(os.path.realpath(output))
    if output.exists() and not output.is_file():
        output.write_bytes(content)
        return
    fd, name = tempfile.mkstemp(dir=output.parent, prefix=f".{output.name}.")
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(content)
            umask = os.umask(0)
            os.umask(umask)
            os.fchmod(file.fileno(), 0o666 & ~umask)
        Path(name).replace(output)
    except BaseException:
        Path(name).unlink()
        raise


def warn(source: str, warnings: Iterable[str]) -> None:
    """Say on stderr what the result does not carry."""
    for warning in warnings:
        click.echo(f"seclatch: {printable(source)}: {printable(warning)}", err=True)
