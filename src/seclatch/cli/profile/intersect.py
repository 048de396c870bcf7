"""`seclatch profile intersect`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from seclatch.cli.profile.combine_command import combine_files
from seclatch.cli.shared.profile_options import FILE, PROFILE, host_options
from seclatch.profile.export.formats import FORMATS
from seclatch.profile.meaning.merge_profiles import intersect_profiles


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("files", nargs=-1, required=True, type=PROFILE, metavar="FILE FILE…")
@click.option("--to", "form", type=click.Choice(FORMATS), default="docker", show_default=True)
@click.option("-o", "--output", type=FILE, help="Write there instead of to standard output.")
@host_options
def command(files: tuple[Path, ...], form: str, output: Path | None, **options: Any) -> None:
    """Write a profile that allows what all of the profiles allow.

    Every call gets the strictest of the profiles' verdicts for its arguments, as if the filters
    were stacked. Of overlapping conditions with different actions those count that this machine's
    libseccomp lets count. Conditions on hosts and containers are resolved first, for this machine
    or as the options say.

    \b
    Example:
      seclatch profile intersect one.json other.json -o both.json
    """
    combine_files(intersect_profiles, files, form, output, options)
