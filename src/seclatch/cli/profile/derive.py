"""`seclatch profile derive`."""

from __future__ import annotations

from pathlib import Path

import click

from seclatch.cli.shared.call_names import parse_calls
from seclatch.cli.shared.profile_options import FILE, PROFILE
from seclatch.cli.shared.result_output import print_warnings, write_result
from seclatch.errors import SeclatchError
from seclatch.profile.export.formats import FORMATS, has_conditions, write
from seclatch.profile.generate.derive_profile import derive_profile
from seclatch.profile.parse.load_profile import load_profile
from seclatch.profile.profile_input import require_default_action


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("file", type=PROFILE)
@click.option(
    "--allow", multiple=True, metavar="CALL", callback=parse_calls, help="Allow this call too."
)
@click.option("--deny", multiple=True, metavar="CALL", callback=parse_calls, help="Deny this call.")
@click.option("--to", "form", type=click.Choice(FORMATS), default="docker", show_default=True)
@click.option("-o", "--output", type=FILE, help="Write there instead of to standard output.")
def command(
    file: Path, allow: tuple[str, ...], deny: tuple[str, ...], form: str, output: Path | None
) -> None:
    """Write a profile with some calls more or less than another one.

    FILE may be docker-default or podman-default. A call that is allowed is so for all arguments
    and capabilities; one that is denied gets the default action. All else stays as it is,
    conditions on capabilities, architectures and kernels too.

    \b
    Examples:
      seclatch profile derive docker-default --allow userfaultfd -o more.json
      seclatch profile derive podman-default --deny ptrace --deny chroot -o less.json
    """
    if not allow and not deny:
        raise click.UsageError("give --allow CALL or --deny CALL")
    if both := sorted({*allow} & {*deny}):
        raise click.UsageError(f"{both[0]} is both allowed and denied")
    profile = require_default_action(load_profile(file), str(file))
    if profile.conditional and not has_conditions(form):
        raise SeclatchError(
            f"{file}: its rules are for some hosts or capabilities only, which {form} cannot say",
            remedy="resolve it first (`seclatch profile resolve`), or give --to docker",
            status=2,
        )
    written = write(derive_profile(profile, allow, deny), form)
    print_warnings("derive", written.warnings)
    write_result(written.text, output)
