"""Where merged recordings go: one file, or one for each image and container name."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from seclatch.errors import SeclatchError
from seclatch.output.printable_text import make_printable
from seclatch.recording.files import recording_file

if TYPE_CHECKING:
    from seclatch.model.recording.merge_recordings import ContainerGroup
    from seclatch.recording.files.merge_files import ByContainer


def write_merged(merged: ByContainer, output: Path | None, into: Path | None) -> None:
    """Write to `output`, if they are of one container, or a file for each into a directory."""
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


def report_merged(done: int) -> None:
    """Show how many files are merged so far, on a terminal."""
    click.echo(f"\rseclatch: merged {done:,} recordings", nl=False, err=True)


def _several(groups: list[ContainerGroup]) -> SeclatchError:
    by_name = any(group.names for group in groups)
    named = ", ".join(sorted(_describe(group, by_name=by_name) for group in groups)[:5])
    what = "containers" if by_name else "images"
    one_image = by_name and len({group.images for group in groups}) == 1
    or_all = "; --any-container, if all belong together" if one_image else ""
    return SeclatchError(
        f"merging into one file: the recordings are of {len(groups)} {what}: {named}",
        remedy=f"--into DIR writes a file for each{or_all}",
    )


def _describe(group: ContainerGroup, *, by_name: bool) -> str:
    if by_name and not group.names:
        return f"outside of pods ({group.images or 'unknown image'})"
    return str(group) or "(unknown)"


def _file_name(group: ContainerGroup) -> str:
    """Return a file name; the image's text comes from a registry: safe characters only."""
    image = _name_image(group.images)
    if not group.names:
        return image
    names = re.sub(r"[^A-Za-z0-9_.-]+", "-", group.names).lstrip(".-")[:64]
    if names != group.names:  # or `a b` would overwrite `a-b`
        names = f"{names}-{_digest(group.names)}".lstrip("-")
    return f"{names}-{image}"


def _name_image(image: str) -> str:
    if not image:
        return "unknown"
    words = re.findall(r"[A-Za-z0-9_.-]+", image.removeprefix("sha256:"))
    name = "-".join(words).lstrip(".-")[:64]
    return name if image == f"sha256:{name}" else f"{name}-{_digest(image)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
