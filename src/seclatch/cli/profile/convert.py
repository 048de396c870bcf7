"""`seclatch profile convert`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from seclatch.cli.shared.profile_options import (
    FILE,
    PROFILE,
    host_from,
    host_options,
    read_given_profile,
)
from seclatch.cli.shared.result_output import print_warnings, write_result
from seclatch.profile.export.formats import FORMATS, has_conditions, write
from seclatch.profile.export.oci import list_unsaid


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("file", type=PROFILE)
@click.option("--to", "form", type=click.Choice(FORMATS), required=True, help="The format.")
@click.option("-o", "--output", type=FILE, help="Write there instead of to standard output.")
@host_options
def command(file: Path, form: str, output: Path | None, **options: Any) -> None:
    """Write the profile in another format; stderr lists what it cannot express.

    Where a format has no conditions, the profile is resolved first for this machine and the
    engine's default capabilities; the options choose others.

    \b
    Examples:
      seclatch profile convert --to kubernetes strict.json -o strict.yaml
      seclatch profile convert --to systemd strict.json > /etc/systemd/system/x.service.d/calls.conf
    """
    host = host_from(options)
    found = read_given_profile(file, host)
    profile = found.profile
    if found.document and has_conditions(form):
        profile = found.document.profile
    elif found.document and found.document.profile.conditional:
        kernel = "{}.{}".format(*host.kernel)
        print_warnings(found.name, [f"conditions resolved for {host.arch.scmp}, Linux {kernel}"])
    if found.document and not has_conditions(form):
        print_warnings(found.name, list_unsaid(found.document.profile))
    written = write(profile, form)
    print_warnings(found.name, written.warnings)
    write_result(written.text, output)
