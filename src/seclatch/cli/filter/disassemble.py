"""`seclatch filter disassemble`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from seclatch.cli.shared.filter_options import FILE, parse_arches, read_filter
from seclatch.filter.disassemble import ListingLine, disassemble_filter
from seclatch.model.arch import Arch


@click.command(name="disassemble")
@click.argument("file", type=FILE)
@click.option(
    "--arch",
    multiple=True,
    callback=parse_arches,
    help="Whose calls are meant where the program does not compare the architecture.",
)
@click.option("--json", "as_json", is_flag=True, help="As JSON, schema filter-listing/1.")
def command(file: Path, arch: tuple[Arch, ...], as_json: bool) -> None:
    """List the program in FILE (`-` for standard input), one instruction a line.

    \b
    Examples:
      seclatch filter disassemble strict.bpf
      seclatch profile compile strict.json | seclatch filter disassemble -
    """
    program = read_filter(file, arch)
    lines = disassemble_filter(program, arch[0] if arch else None)
    if as_json:
        head = {"schema": "seclatch.filter-listing/1", "byteorder": program.byteorder}
        click.echo(json.dumps(head | {"lines": [_describe(line) for line in lines]}))
        return
    for line in lines:
        text = f"{line.index:5} {line.label:5} {line.text:45} {line.note}"
        click.echo(text.rstrip())


def _describe(line: ListingLine) -> dict[str, object]:
    return {
        "index": line.index,
        "label": line.label,
        "instruction": list(line.instruction),
        "text": line.text,
        "note": line.note,
    }
