"""`seclatch record merge`: several recordings as one for each image and container name."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from seclatch.cli.shared.recording_options import no_sessions_option
from seclatch.cli.shared.result_output import is_terminal


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where to write; compressed if it ends in .gz. All must be of one image.",
)
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write a file for each image and container name into this directory.",
)
@click.option(
    "--any-container",
    is_flag=True,
    help="Merge by image alone: containers of other names in their pods, and of none, belong too.",
)
@no_sessions_option
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE..."
)
def command(
    output: Path | None,
    into: Path | None,
    any_container: bool,
    no_sessions: bool,
    files: tuple[Path, ...],
) -> None:
    """Merge recordings: calls by stage, with the number of recordings that have each.

    Recordings belong together when their containers' images have the same digest, and in pods the
    same names: an init container and a sidecar may have one image. Those of which neither is known
    are one group. Recordings of one image with names and without (of a pod, and of `docker run`)
    are merged by --any-container. Merged recordings can be merged again, in any order and
    grouping, with the same result. Processes and events are left out. A file that cannot be read
    ends it, and nothing is written.

    \b
    Examples:
      seclatch record merge -o all.recording.json.gz run-*.recording.json
      seclatch record merge --into images/ /var/lib/seclatch/recordings/*.json.gz
      seclatch generate all.recording.json.gz > profile.json
    """
    from seclatch.cli.record.merged_output import report_merged, write_merged
    from seclatch.recording.files.merge_files import merge_files

    if (output is None) == (into is None):
        raise click.UsageError("give either -o FILE or --into DIR.")
    merged = merge_files(
        files,
        report_merged if is_terminal(sys.stderr) else lambda _: None,
        sessions=not no_sessions,
        names=not any_container,
    )
    write_merged(merged, output, into)
