"""`seclatch generate`: a profile from recordings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from seclatch.cli.profile.output import emit, warn


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--from",
    "first",
    type=click.Choice(["init", "filtered-init", "program"]),
    default="program",
    show_default=True,
    help="The stage from which on calls are allowed.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["docker", "containers-common", "oci", "kubernetes", "systemd"]),
    default="docker",
    show_default=True,
    help="The profile's format.",
)
@click.option(
    "--plain",
    type=click.Choice(["runc", "crun"]),
    help="For this runtime without the latch: with what the runtime itself needs.",
)
@click.option("--args", "narrow", is_flag=True, help="Compare arguments with those recorded.")
@click.option(
    "--portable", is_flag=True, help="Allow what other C libraries and architectures use instead."
)
@click.option("--refuse-clone3", is_flag=True, help="Answer clone3 with ENOSYS; allow clone.")
@click.option("--audit", is_flag=True, help="Log what is not allowed instead of denying it.")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write there instead of to standard output.",
)
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE..."
)
def command(
    first: str, form: str, output: Path | None, files: tuple[Path, ...], **options: Any
) -> None:
    """Make a profile that allows what was recorded, each rule with where it comes from.

    The profile is for the latch: it has the program's calls and none of the runtime's. What was
    denied while recording stays denied, which is said on stderr.

    \b
    Examples:
      seclatch generate nginx.recording.json > nginx.json
      seclatch generate --portable --args run-*.recording.json -o nginx.json
      seclatch generate --plain runc nginx.recording.json > plain.json
    """
    from seclatch.errors import InputError  # noqa: PLC0415 (--help needs none of it)
    from seclatch.model.merging import merge  # noqa: PLC0415
    from seclatch.model.stage import Stage  # noqa: PLC0415
    from seclatch.profile import generate  # noqa: PLC0415
    from seclatch.profile.export.formats import write  # noqa: PLC0415
    from seclatch.record import store  # noqa: PLC0415

    recording = merge(store.read(each) for each in files)
    try:
        made = generate.generate(recording, generate.Options(first=Stage(first), **options))
    except ValueError as error:
        raise InputError(
            ", ".join(map(str, files)), "", str(error), remedy="record a start that succeeds"
        ) from error
    written = write(made.profile, form)
    warn("generate", [*made.warnings, *written.warnings])
    emit(written.text, output)
