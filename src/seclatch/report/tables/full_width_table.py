"""Tables that are as wide as their content: a terminal wraps lines, and nothing is cut off."""

from __future__ import annotations

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

MAX_WIDTH = 10_000


def print_whole(table: Table, console: Console) -> None:
    """Print a table without cutting cells off, whatever the console's width."""
    width = console.width
    wide = console.options.update(max_width=MAX_WIDTH)
    console.width = Measurement.get(console, wide, table).maximum
    console.print(table)
    console.width = width
