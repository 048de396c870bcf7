"""`seclatch profile convert`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from seclatch.cli.shared.profile_options import FILE, given, host_from, host_options
from seclatch.cli.shared.result_output import emit, warn
from seclatch.profile.export.formats import FORMATS, conditional, write
from seclatch.profile.export.oci import unsaid


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("file", type=FILE)
@click.option("--to", "form", type=click.Choice(FORMATS), required=True, help="The format.")
@click.option("-o", "--output", type=FILE, help="Write there instead of to standard output.")
@host_options
def command(file: Path, form: str, output: Path | None, **options: Any) -> None:
    """Write the profile in another format, naming on stderr what that cannot say.

    Where a format has no conditions, the profile is resolved first for this machine and the
    engine's default capabilities; the options choose others.

    \b
    Examples:
      seclatch profile convert --to kubernetes strict.json -o strict.yaml
      seclatch profile convert --to systemd strict.json > /etc/systemd/system/x.service.d/calls.conf
    """
    host = host_from(options)
    found = given(file, host)
    profile = found.profile
    if found.document and conditional(form):
        profile = found.document.profile
    elif found.document and found.document.profile.conditional:
        kernel = "{}.{}".format(*host.kernel)
        warn(found.name, [f"conditions resolved for {host.arch.scmp}, Linux {kernel}"])
    if found.document and not conditional(form):
        warn(found.name, unsaid(found.document.profile))
    written = write(profile, form)
    warn(found.name, written.warnings)
    emit(written.text, output)
