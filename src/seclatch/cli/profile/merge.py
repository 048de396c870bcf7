"""`seclatch profile merge`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from seclatch.cli.profile.combine_command import combine_files
from seclatch.cli.shared.profile_options import FILE, PROFILE, host_options
from seclatch.profile.export.formats import FORMATS
from seclatch.profile.meaning.merge_profiles import merge_profiles


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("files", nargs=-1, required=True, type=PROFILE, metavar="FILE FILE…")
@click.option("--to", "form", type=click.Choice(FORMATS), default="docker", show_default=True)
@click.option("-o", "--output", type=FILE, help="Write there instead of to standard output.")
@host_options
def command(files: tuple[Path, ...], form: str, output: Path | None, **options: Any) -> None:
    """Write a profile that allows what any of the profiles allows.

    Every call gets the most permissive of the profiles' verdicts for its arguments. Conditions are
    resolved first, for this machine or as the options say.

    \b
    Example:
      seclatch profile merge one.json other.json -o both.json
    """
    combine_files(merge_profiles, files, form, output, options)
