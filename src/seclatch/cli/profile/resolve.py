"""`seclatch profile resolve`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from seclatch.cli.shared.profile_options import FILE, PROFILE, host_from, host_options
from seclatch.cli.shared.result_output import print_warnings, write_result
from seclatch.profile.export.oci import make_document
from seclatch.profile.parse.profile_source import read_source
from seclatch.profile.profile_input import read_profile_input


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("file", type=PROFILE)
@click.option("-o", "--output", type=FILE, help="Write there instead of to standard output.")
@host_options
def command(file: Path, output: Path | None, **options: Any) -> None:
    """Print the `linux.seccomp` that the engine would put into config.json.

    Prints null for the empty profile, with which a container runs without seccomp. A raw BPF
    program has no conditions: its rules are printed, as `filter decompile` finds them.

    \b
    Examples:
      seclatch profile resolve default.json
      seclatch profile resolve --engine podman --cap-add SYS_ADMIN default.json
      seclatch profile resolve --arch arm64 --kernel 5.10 default.json
    """
    host = host_from(options)
    found = read_profile_input(read_source(file), host)
    print_warnings(found.name, found.warnings)
    value = make_document(found.profile) if found.profile.default_action else None
    write_result(json.dumps(value, indent=2) + "\n", output)
