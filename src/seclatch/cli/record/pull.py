"""`seclatch record pull`."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

import click

from seclatch.cli.shared.registry_options import (
    REFERENCE,
    access_from,
    limit_time,
    registry_options,
    require_repository,
)
from seclatch.cli.shared.result_output import is_terminal
from seclatch.registry.reference import DIGEST, Reference, parse_reference


def _require_digest(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str:
    """Read `sha256:…` or NAME@sha256:…; recordings know images by digest."""
    if not value:
        return ""
    digest = value if DIGEST.fullmatch(value) else parse_reference(value).digest
    if not digest:
        raise click.BadParameter(f"{value} is not pinned by digest: give NAME@sha256:DIGEST")
    return digest


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where to write; compressed if it ends in .gz. All must be of one container.",
)
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write a file for each image and container name into this directory.",
)
@click.option("--container", default="", metavar="NAME", help="Of this name in its pod.")
@click.option(
    "--key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The nodes' public key (PEM): all counts must be signed by it.",
)
@click.option(
    "--allow-unsigned", is_flag=True, help="Without --key: take counts from whoever pushes."
)
@partial(registry_options, seconds=600)
@click.argument(
    "repository", type=REFERENCE, callback=require_repository, metavar="HOST/REPOSITORY"
)
@click.argument("image", required=False, callback=_require_digest, metavar="[IMAGE@sha256:…]")
def command(
    output: Path | None,
    into: Path | None,
    container: str,
    key: Path | None,
    allow_unsigned: bool,
    timeout: float,
    repository: Reference,
    image: str,
    **options: Any,
) -> None:
    """Fetch what all nodes pushed, and merge it: a recording of the fleet.

    Of one image (NAME@sha256:… or sha256:…), or of all. The result is a merged recording, for
    `seclatch generate`, `scan`, `show`. Each node signs its counts (`record push --sign`), since
    whoever may push to the repository could add calls to the profile.

    \b
    Examples:
      seclatch record pull localhost:5000/recordings web@sha256:… --key nodes.pub -o web.json.gz
      seclatch record pull registry.example/recordings --key nodes.pub --into images/
      seclatch generate --no-sessions web.json.gz > web.profile.json
    """
    from seclatch.cli.record.merged_output import report_merged, write_merged
    from seclatch.fleet.pull_counts import WantedCounts, pull_counts
    from seclatch.registry.cosign_signature import load_public_key

    if (output is None) == (into is None):
        raise click.UsageError("give either -o FILE or --into DIR.")
    if key is None and not allow_unsigned:
        raise click.UsageError("give --key FILE, or --allow-unsigned")
    access = access_from(options)
    wanted = WantedCounts(image, container, load_public_key(key) if key else None)
    with limit_time(timeout, f"pulling from {repository}"):
        merged, nodes = pull_counts(
            repository, access, wanted, report_merged if is_terminal(sys.stderr) else lambda _: None
        )
    write_merged(merged, output, into)
    click.echo(f"seclatch: {repository}: counts of {nodes:,} tags merged", err=True)
