"""A scan as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from seclatch.model.scan import Scan, ScannedProgram
from seclatch.output.printable_text import make_printable
from seclatch.report.tables.full_width_table import print_whole


def show_scan(scan: Scan, console: Console) -> None:
    """Print a line a program, and the calls of all of them."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("program", "calls", "libraries", "result", "because"):
        table.add_column(column, justify="right" if column in ("calls", "libraries") else "left")
    for each in scan.programs:
        table.add_row(
            _safe(each.path),
            str(len(each.calls)),
            str(len(each.files) - 1),
            _result(each),
            _safe(each.because),
        )
    print_whole(table, console)
    names = sorted(scan.names)
    console.print(f"\n[bold]{len(names)} system calls[/]  " + _safe(" ".join(names)))


def explain_call(scan: Scan, name: str) -> Iterator[str]:
    """List the chains that lead to a call, a line each."""
    for each in scan.programs:
        for call in each.calls:
            if name in (call.name, str(call.number)):
                yield f"{each.path}: {' → '.join(call.chain)}"


def list_doubts(scan: Scan) -> Iterator[str]:
    """List what the result does not cover, a sentence each."""
    for each in scan.programs:
        yield from (f"open: {each.path}: {doubt}" for doubt in _doubts(each))
        yield from (f"{each.path}: {note}" for note in each.notes)
    others = [each.path for each in scan.programs if each.runs_others]
    if others:
        few = ", ".join(others[:3]) + (" …" if len(others) > 3 else "")
        yield f"{few} can run further programs: name those with --entrypoint, or record"
    yield from scan.notes
    if scan.skipped:
        yield f"skipped: {'; '.join(scan.skipped[:3])}" + (
            f" and {len(scan.skipped) - 3} more" if len(scan.skipped) > 3 else ""
        )
    if not scan.whole:
        yield "the list is open: record the program too (seclatch record), and join both"


def _doubts(program: ScannedProgram) -> Iterator[str]:
    for site in program.open[:5]:
        yield f"{site.function} in {site.file} at {site.address:#x}: {site.why}"
    if len(program.open) > 5:
        yield f"{len(program.open) - 5} more places"
    for name in program.missing:
        yield f"the library {name} is not in the image"
    yield from program.unread


def _result(program: ScannedProgram) -> str:
    if program.whole:
        return "[green]whole[/]"
    count = len(program.open) + len(program.missing) + len(program.unread)
    return f"[yellow]open ({count})[/]"


def _safe(text: str) -> str:
    return escape(make_printable(text))
