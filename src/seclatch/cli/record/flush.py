"""`seclatch record flush`: an annotated container's recording, before the container ends."""

from __future__ import annotations

from pathlib import PurePosixPath

import click

from seclatch.cli.record.spools import ask
from seclatch.errors import SeclatchError


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--record-dir",
    type=click.Path(path_type=PurePosixPath),
    metavar="DIR",
    help="Where recordings go.  [default: as installed]",
)
@click.argument("name", metavar="NAME|ID")
def command(record_dir: PurePosixPath | None, name: str) -> None:
    """Write the recording of an annotated container now, and print the file's path.

    NAME is what the annotation seclatch.record gave, ID the beginning of the container's id; all
    containers of that name are meant. Their recordings go on.

    \b
    Examples:
      seclatch record flush web
      seclatch show "$(seclatch record flush 3f4c8a)"
    """
    if not name:  # every id begins with nothing
        raise click.UsageError("NAME is empty.")
    files = ask("flush", name, record_dir)
    if not files:
        raise SeclatchError(
            f"looking for a recording of {name}: no container of this name or id is being recorded "
            "by annotation",
            remedy="what has ended is in the directory; the file `log` there says what was refused",
        )
    for path in files:
        click.echo(path)
