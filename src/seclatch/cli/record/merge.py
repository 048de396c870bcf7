"""`seclatch record merge`: several recordings as one for each image and container name."""

from __future__ import annotations

import hashlib
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from seclatch.cli.shared.recording_options import no_sessions_option
from seclatch.cli.shared.result_output import is_terminal
from seclatch.errors import SeclatchError
from seclatch.output.printable_text import make_printable

if TYPE_CHECKING:
    from seclatch.model.merge_recordings import ContainerGroup


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
@no_sessions_option
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE..."
)
def command(
    output: Path | None, into: Path | None, no_sessions: bool, files: tuple[Path, ...]
) -> None:
    """Merge recordings: calls by stage, with the number of recordings that have each.

    Recordings belong together when their containers' images have the same digest, and in pods the
    same names: an init container and a sidecar may have one image. Those of which neither is known
    are one group. Merged recordings can be merged again, in any order and
    grouping, with the same result. Processes and events are left out. A file that cannot be read
    ends it, and nothing is written.

    \b
    Examples:
      seclatch record merge -o all.recording.json.gz run-*.recording.json
      seclatch record merge --into images/ /var/lib/seclatch/recordings/*.json.gz
      seclatch generate all.recording.json.gz > profile.json
    """
    from seclatch.recording.files import recording_file
    from seclatch.recording.files.merge_files import merge_files

    if (output is None) == (into is None):
        raise click.UsageError("give either -o FILE or --into DIR.")
    merged = merge_files(
        files,
        _tell if is_terminal(sys.stderr) else lambda _: None,
        sessions=not no_sessions,
    )
    if into is None:
        if output is None or len(merged) > 1:
            raise _several(list(merged))
        recording_file.write_recording(output, merged.popitem()[1])
        return
    into.mkdir(parents=True, exist_ok=True)
    for group, recording in sorted(merged.items()):
        path = into / f"{_file_name(group)}.recording.json.gz"
        recording_file.write_recording(path, recording)
        of = str(group) or "unknown images"
        click.echo(make_printable(f"{path}: {recording.runs} recordings of {of}"))


def _tell(done: int) -> None:
    click.echo(f"\rseclatch: merged {done:,} recordings", nl=False, err=True)


def _several(groups: list[ContainerGroup]) -> SeclatchError:
    named = ", ".join(sorted(str(group) or "(unknown)" for group in groups)[:5])
    what = "containers" if any(group.names for group in groups) else "images"
    return SeclatchError(
        f"merging into one file: the recordings are of {len(groups)} {what}: {named}",
        remedy="--into DIR writes a file for each",
    )


def _file_name(group: ContainerGroup) -> str:
    """Return a file name; the image's text comes from a registry: safe characters only."""
    image = _name_image(group.images)
    if not group.names:
        return image
    names = re.sub(r"[^A-Za-z0-9_.-]+", "-", group.names).lstrip(".-")[:64]
    return f"{names or _digest(group.names)}-{image}"


def _name_image(image: str) -> str:
    if not image:
        return "unknown"
    words = re.findall(r"[A-Za-z0-9_.-]+", image.removeprefix("sha256:"))
    name = "-".join(words).lstrip(".-")[:64]
    return name if image == f"sha256:{name}" else f"{name}-{_digest(image)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
