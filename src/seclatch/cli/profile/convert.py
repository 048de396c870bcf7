"""`seclatch profile convert`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from seclatch.cli.profile.options import FILE, host_from, host_options, resolved
from seclatch.cli.profile.output import emit, warn
from seclatch.profile.export.formats import FORMATS, conditional, write
from seclatch.profile.load import load
from seclatch.profile.program import is_program


@click.command()
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
    if conditional(form) and not is_program(file):
        profile = load(file)
    else:
        profile = resolved(file, host)
        if not is_program(file) and load(file).conditional:
            kernel = "{}.{}".format(*host.kernel)
            warn(str(file), [f"conditions resolved for {host.arch.scmp}, Linux {kernel}"])
    written = write(profile, form)
    warn(str(file), written.warnings)
    emit(written.text, output)
