"""`seclatch profile resolve`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from seclatch.cli.profile.options import FILE, host_from, host_options
from seclatch.cli.profile.output import emit
from seclatch.profile.load import load
from seclatch.profile.resolve import resolve


@click.command()
@click.argument("file", type=FILE)
@click.option("-o", "--output", type=FILE, help="Write there instead of to standard output.")
@host_options
def command(file: Path, output: Path | None, **options: Any) -> None:
    """Print the `linux.seccomp` that the engine would put into config.json.

    Prints null for the empty profile, with which a container runs without seccomp.

    \b
    Examples:
      seclatch profile resolve default.json
      seclatch profile resolve --engine podman --cap-add SYS_ADMIN default.json
      seclatch profile resolve --arch arm64 --kernel 5.10 default.json
    """
    host = host_from(options)
    value = resolve(
        load(file), arch=host.arch, caps=host.caps, kernel=host.kernel, engine=host.engine
    )
    emit(json.dumps(value, indent=2) + "\n", output)
