"""`seclatch profile example`."""

from __future__ import annotations

from pathlib import Path

import click

from seclatch.cli.shared.profile_options import FILE
from seclatch.cli.shared.result_output import emit_text, write_result
from seclatch.profile.curated.example_profiles import EXAMPLES, read_example


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("name", type=click.Choice(list(EXAMPLES)), metavar="[NAME]", required=False)
@click.option("-o", "--output", type=FILE, help="Write there instead of to standard output.")
def command(name: str | None, output: Path | None) -> None:
    """Write an example profile; without NAME, list them.

    \b
    Examples:
      seclatch profile example
      seclatch profile example strict -o strict.json
      seclatch run --profile strict.json -- grep Seccomp /proc/self/status
    """
    if name is None:
        width = max(map(len, EXAMPLES))
        emit_text("".join(f"{each:{width}}  {text}\n" for each, text in EXAMPLES.items()), output)
        return
    write_result(read_example(name), output)
