"""`seclatch demo`: what the latch does, shown by real runs."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import click

from seclatch.cli.shared.result_output import require_stdout


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--runtime",
    type=click.Choice(["runc", "crun"]),
    default="runc",
    show_default=True,
    help="OCI runtime.",
)
def command(runtime: str) -> None:
    """Show what the latch does, by running it: five short stories, a few seconds.

    Needs root, runc or crun, and busybox-static; no engine. The files that the commands write are
    in a temporary folder, which is removed. Exit status 1 if a command did not end as it should.

    \b
    Examples:
      sudo seclatch demo
      sudo seclatch demo --runtime crun
    """
    from seclatch.demo.run_story import run_story
    from seclatch.runtime.run_privilege import require_root

    require_stdout()
    require_root()
    with tempfile.TemporaryDirectory(prefix="seclatch-demo-") as folder:
        failed = run_story(runtime, Path(folder), lambda line: click.echo(line, color=False))
    for each in failed:
        click.echo(f"seclatch: demo: this did not end as it should: {each}", err=True)
    if failed:
        click.echo("  what to do: seclatch doctor", err=True)
    sys.exit(1 if failed else 0)
