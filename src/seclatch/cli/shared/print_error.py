"""How an error is said: the same words wherever it is caught."""

from __future__ import annotations

import click

from seclatch.errors import SeclatchError
from seclatch.output.printable_text import clip_printable


def print_error(error: SeclatchError) -> None:
    """Say on stderr what failed and what to do; a profile's or container's text stays text."""
    click.echo(f"seclatch: {clip_printable(str(error))}", err=True)
    if error.remedy:
        click.echo(f"  what to do: {clip_printable(error.remedy)}", err=True)
