"""`seclatch show`: a recording as a table."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--by",
    type=click.Choice(["stage", "process", "role"]),
    default="stage",
    show_default=True,
    help="What the columns are; by process it is a tree; by role: calls once ready.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of a table.")
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
def command(by: str, as_json: bool, file: Path) -> None:
    """Show which system calls each stage made, and which of them only the runtime needed.

    Of a program with a ready mark the column `running` has what it made after it.

    \b
    Examples:
      seclatch show nginx.recording.json
      seclatch show --by process nginx.recording.json
      seclatch show --by role nginx.recording.json
      seclatch show --json nginx.recording.json | jq .only_runtime
    """
    from seclatch.cli.shared.result_output import require_stdout
    from seclatch.recording.files import recording_file
    from seclatch.report import recording_progress
    from seclatch.report.tables import recording_tables as report

    require_stdout()
    recording = recording_file.read_recording(file)
    if as_json:
        click.echo(json.dumps(report.as_document(recording, by), indent=2))
        return
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    show = {
        "stage": report.show_stages,
        "process": report.show_processes,
        "role": report.show_roles,
    }
    show[by](recording, console)
    for line in list(recording_progress.describe_recording(recording, str(file)))[1:]:
        click.echo(f"seclatch: {line}", err=True)
