"""`seclatch pull`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seclatch.cli.shared.profile_options import (
    FILE,
    PROFILE,
    host_from,
    host_options,
    read_given_profile,
)
from seclatch.cli.shared.registry_options import (
    REFERENCE,
    access_from,
    limit_time,
    read_identity,
    registry_options,
    require_image,
)
from seclatch.cli.shared.result_output import require_stdout, write_result
from seclatch.errors import SeclatchError
from seclatch.output.printable_text import clip_printable
from seclatch.output.result_file import find_obstacle
from seclatch.profile.compile.runtime_limits import Runtime
from seclatch.registry.reference import Reference

if TYPE_CHECKING:
    from seclatch.fleet.pull_profile import PulledProfile

SCHEMA = "seclatch.pulled-profile/1"

_MOST = 10


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("reference", type=REFERENCE, metavar="REF")
@click.option("-o", "--output", type=FILE, help="Write there instead of to standard output.")
@click.option(
    "--key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The publisher's public key (PEM, such as cosign.pub): the profile must be signed by it.",
)
@click.option(
    "--identity",
    callback=read_identity,
    metavar="HOST/REPOSITORY",
    help="The repository that it was signed for, where REF is a mirror of that.",
)
@click.option("--allow-unsigned", is_flag=True, help="Without --key: take it from whoever pushes.")
@click.option("--allow-tag", is_flag=True, help="REF may be a tag, which can change its meaning.")
@click.option(
    "--image",
    callback=require_image,
    metavar="IMG@sha256:…",
    help="Refuse a profile that was not pushed for this image.",
)
@click.option(
    "--baseline",
    "baselines",
    type=PROFILE,
    multiple=True,
    metavar="PROFILE",
    help="Refuse a profile that allows more than this one: a file, or docker, podman, …",
)
@click.option("--dry-run", is_flag=True, help="Fetch and check; write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print an object about it; needs -o.")
@registry_options
@host_options
def command(
    reference: Reference,
    output: Path | None,
    baselines: tuple[Path, ...],
    dry_run: bool,
    as_json: bool,
    timeout: float,
    **options: Any,
) -> None:
    """Fetch a profile from a registry; write it only if every check passes.

    REF is HOST[:PORT]/REPOSITORY@sha256:DIGEST. Refused is, with exit status 1: what is not pinned
    by digest, not signed by --key, not in KEP-6061's format, wider than a --baseline (by meaning,
    as `seclatch profile diff`), or not what its digest says. The file is byte for byte what was
    signed; it is whole or not there.

    \b
    Examples:
      seclatch pull registry.example/profiles/web@sha256:… --key cosign.pub -o web.json
      seclatch pull registry.example/profiles/web@sha256:… --key cosign.pub --baseline docker
      seclatch pull localhost:5000/web:1 --plain-http --allow-tag --allow-unsigned
    """
    require_stdout()
    if as_json and output is None and not dry_run:
        raise click.UsageError("--json needs -o FILE: the profile would be printed, too")
    if options["identity"] and not options["key"]:
        raise click.UsageError("--identity is of no use without --key")
    access = access_from(options)
    _require_place(output)
    names = ("key", "allow_unsigned", "allow_tag", "image", "identity")
    choices = {name: options.pop(name) for name in names}
    from seclatch.fleet.pull_profile import PullPolicy, pull_profile

    with limit_time(timeout, f"pulling {reference}"):
        pulled = pull_profile(reference, access, PullPolicy(**choices))
    for baseline in baselines:
        _require_not_wider(pulled, baseline, options)
    if not dry_run:
        write_result(pulled.data, output)
    _report(pulled, output, as_json=as_json, dry_run=dry_run)


def _require_place(output: Path | None) -> None:
    obstacle = find_obstacle(output) if output else ""
    if obstacle:
        raise SeclatchError(f"writing {output}: {obstacle}", status=2)


def _require_not_wider(pulled: PulledProfile, baseline: Path, options: dict[str, Any]) -> None:
    """Compare by meaning, as `seclatch profile diff` does. Raises SeclatchError."""
    from seclatch.profile.meaning.compared_side import make_side
    from seclatch.profile.meaning.diff_profiles import diff_sides
    from seclatch.profile.meaning.wider_change import is_wider_change
    from seclatch.profile.parse.profile_source import ProfileSource
    from seclatch.profile.profile_input import read_profile_input
    from seclatch.profile.uncompared_rules import list_uncompared

    host = host_from(options)
    base = read_given_profile(baseline, host)
    given = read_profile_input(ProfileSource(str(pulled.reference), pulled.data), host)
    found = diff_sides(
        *(make_side(x.profile, host.arch, Runtime.RUNC, x.program, x.beyond) for x in (base, given))
    )
    reasons = [f"the whole ABI {arch.scmp}" for arch in found.opened]
    reasons += [
        f"{change.name} ({change.effect.value})"
        for change in found.changes
        if is_wider_change(change)
    ]
    reasons += list_uncompared(base, given)
    if reasons:
        more = f", and {len(reasons) - _MOST} more" if reasons[_MOST:] else ""
        raise SeclatchError(
            f"{pulled.reference}: allows more than {baseline}: "
            f"{clip_printable(', '.join(reasons[:_MOST]), 1000)}{more}",
            remedy=f"`seclatch profile diff {baseline} FILE` shows all; "
            "`seclatch profile intersect` takes it away",
            status=1,
        )


def _report(pulled: PulledProfile, output: Path | None, *, as_json: bool, dry_run: bool) -> None:
    if as_json:
        document = {
            "schema": SCHEMA,
            "reference": str(pulled.reference),
            "image": pulled.image,
            "size": len(pulled.data),
            "signed": pulled.signed,
            "output": None if dry_run or output is None else str(output),
        }
        click.echo(json.dumps(document))
        return
    signed = "signed" if pulled.signed else "not signed"
    image = f", for {clip_printable(pulled.image, 200)}" if pulled.image else ""
    click.echo(f"seclatch: {pulled.reference}: {signed}{image}", err=True)
