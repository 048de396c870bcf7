"""`seclatch record-merge`: several recordings as one."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    required=True,
    help="Where to write; compressed if it ends in .gz.",
)
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE..."
)
def command(output: Path, files: tuple[Path, ...]) -> None:
    """Merge recordings: calls by stage, with the number of recordings that have each.

    Merged recordings can be merged again, in any order, with the same result. Processes and events
    are left out. A file that cannot be read ends it, and nothing is written.

    \b
    Examples:
      seclatch record-merge -o all.recording.json.gz run-*.recording.json
      seclatch generate all.recording.json.gz > profile.json
    """
    from seclatch.model.merging import merge  # noqa: PLC0415 (--help needs none of it)
    from seclatch.record import store  # noqa: PLC0415

    store.write(output, merge(store.read(each) for each in files))
