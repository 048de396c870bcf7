"""`seclatch record push`."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

import click

from seclatch.cli.shared.recording_options import no_sessions_option
from seclatch.cli.shared.registry_options import (
    REFERENCE,
    access_from,
    limit_time,
    registry_options,
    require_repository,
)
from seclatch.cli.shared.result_output import require_stdout
from seclatch.errors import SeclatchError
from seclatch.output.printable_text import make_printable
from seclatch.registry.reference import Reference


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--node",
    default="",
    metavar="NAME",
    help="The node's name; without one a hash of this host's machine id.",
)
@click.option(
    "--sign",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="KEY",
    help="Sign with this ECDSA key (PEM; its password in SECLATCH_SIGN_PASSWORD).",
)
@click.option("--dry-run", is_flag=True, help="Show what would be pushed; upload nothing.")
@no_sessions_option
@partial(registry_options, seconds=600)
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE..."
)
@click.argument(
    "repository", type=REFERENCE, callback=require_repository, metavar="HOST/REPOSITORY"
)
def command(
    node: str,
    sign: Path | None,
    dry_run: bool,
    no_sessions: bool,
    timeout: float,
    files: tuple[Path, ...],
    repository: Reference,
    **options: Any,
) -> None:
    """Share the counts of this node's recordings by a registry.

    Recordings are merged by image and container name. What leaves the node: calls by stage with
    counts, recorded argument values, the paths of executed programs, images, profiles, versions.
    Not command lines, processes, pods. Each image and container name has a tag a node, which the
    next push of this node replaces: push all recordings that are to count.

    \b
    Examples:
      seclatch record push /var/lib/seclatch/recordings/*.json.gz registry.example/recordings
      seclatch record push --dry-run app.recording.json.gz registry.example/recordings
    """
    from seclatch.fleet.counts_artifact import counts_tag, name_node
    from seclatch.fleet.push_counts import list_layers, push_counts
    from seclatch.fleet.push_profile import read_signing_key
    from seclatch.recording.files.merge_files import merge_files

    require_stdout()
    access = access_from(options)
    key = read_signing_key(sign, os.environ.get("SECLATCH_SIGN_PASSWORD", ""))
    layers = list_layers(merge_files(files, sessions=not no_sessions))
    if not layers:
        raise SeclatchError(
            "pushing counts: no recording names the image of its container",
            remedy="record with the engine running, which knows the image",
            status=2,
        )
    name = node or name_node()
    sizes = {group: len(layer) for group, layer in layers}
    with limit_time(timeout, f"pushing to {repository}"):
        planned = [(group, repository.with_tag(counts_tag(group, name))) for group in sizes]
        pushed = push_counts(layers, repository, access, name, key)
        for group, reference in planned if dry_run else pushed:
            click.echo(make_printable(f"{reference}: {sizes[group]:,} bytes, {group}"))
