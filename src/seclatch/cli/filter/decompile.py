"""`seclatch filter decompile`."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import click

from seclatch.cli.shared.filter_options import FILE, parse_arches, read_filter
from seclatch.filter.decompile import DecompiledFilter, decompile_filter
from seclatch.model.arch import Arch
from seclatch.output.printable_text import make_printable
from seclatch.profile.export.oci import make_document


@click.command(name="decompile")
@click.argument("file", type=FILE)
@click.option(
    "--arch",
    multiple=True,
    callback=parse_arches,
    help="Only for these architectures (default: those that the program compares with).",
)
@click.option("--json", "as_json", is_flag=True, help="As JSON, schema filter-decompiled/1.")
def command(file: Path, arch: tuple[Arch, ...], as_json: bool) -> None:
    """Print the program in FILE (`-` for standard input) as an OCI profile.

    Architectures that the program treats differently get a profile each. What no profile can say
    is listed on standard error; with --json it is in the document.

    \b
    Examples:
      seclatch filter decompile strict.bpf
      seclatch filter decompile --arch aarch64 --json strict.bpf
    """
    found = decompile_filter(read_filter(file, arch), arch, stub_apart=True)
    if as_json:
        click.echo(json.dumps(_describe(found)))
        return
    for profile in found.profiles:
        click.echo(json.dumps(make_document(profile), indent=2))
    if len(found.profiles) > 1:
        click.echo(f"seclatch: {len(found.profiles)} profiles: no single one says it all", err=True)
    for kept in found.kept:
        click.echo(f"seclatch: not in the profile: {make_printable(str(kept))}", err=True)


def _describe(found: DecompiledFilter) -> dict[str, object]:
    return {
        "schema": "seclatch.filter-decompiled/1",
        "profiles": [make_document(profile) for profile in found.profiles],
        "kept": [dataclasses.asdict(kept) for kept in found.kept],
    }
