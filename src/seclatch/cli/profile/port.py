"""`seclatch profile port`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from seclatch.cli.shared.profile_options import FILE, PROFILE
from seclatch.cli.shared.result_output import print_warnings, write_result
from seclatch.errors import InputError
from seclatch.model.arch import Arch
from seclatch.model.profile.profile import Profile
from seclatch.profile.compile.resolve_profile import Host
from seclatch.profile.export.docker import make_document
from seclatch.profile.export.formats import FORMATS, has_conditions, write
from seclatch.profile.generate.port_profile import (
    TARGETS,
    PortedProfile,
    combine_architectures,
    port_profile,
)
from seclatch.profile.parse.load_profile import parse_profile
from seclatch.profile.parse.profile_source import read_source
from seclatch.profile.profile_input import give_program

Operation = Callable[[Profile, Arch, Arch], PortedProfile]


def _arch(_ctx: click.Context, _param: click.Parameter, value: str | None) -> Arch | None:
    if value is None:
        return None
    try:
        arch = Arch.parse(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    if arch not in TARGETS:
        raise click.BadParameter(f"one of {', '.join(each.title for each in TARGETS)}")
    return arch


@click.command()
@click.argument("file", type=PROFILE)
@click.option(
    "--to",
    "target",
    required=True,
    callback=_arch,
    metavar="ARCH",
    help="For which architecture: aarch64, x86_64 or riscv64.",
)
@click.option(
    "--from",
    "source",
    callback=_arch,
    metavar="ARCH",
    help="The profile's architecture, if the profile does not name it.",
)
@click.option("--both", is_flag=True, help="One profile for both, as engines resolve them.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="docker", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="For machines: the changes and the profile.")
@click.option("-o", "--output", type=FILE, help="Write there instead of to standard output.")
def command(
    file: Path,
    target: Arch,
    source: Arch | None,
    both: bool,
    form: str,
    as_json: bool,
    output: Path | None,
) -> None:
    """Write the profile for another architecture; every change is listed on stderr.

    Calls that do not exist there are replaced by what C libraries use there (open by openat, fork
    by clone), and a condition moves with its argument. Calls that programs need there from their
    start are added. Conditions that cannot be expressed there are left out: check these by hand.

    \b
    Examples:
      seclatch profile port --to aarch64 nginx.json -o nginx-arm64.json
      seclatch profile port --to x86_64 nginx-arm64.json
      seclatch profile port --to aarch64 --both nginx.json -o nginx-both.json
      seclatch profile port --to arm64 --json nginx.json | jq .changes
    """
    profile = _read(file, source)
    source = source or _source(profile, target)
    if both and not has_conditions(form):
        raise click.UsageError(f"{form} cannot say for which architecture a rule is")
    ported = _ported(file, profile, source, target, combine_architectures if both else port_profile)
    if as_json:
        write_result(json.dumps(report_port(ported, source, target)) + "\n", output)
        return
    written = write(ported.profile, form)
    print_warnings(str(file), [*map(str, ported.changes), *written.warnings])
    write_result(written.text, output)


def _read(file: Path, source: Arch | None) -> Profile:
    """With its conditions; of a BPF program the rules for `source`, or for this machine."""
    found = read_source(file)
    if not found.is_program:
        return parse_profile(found.text(), found.name)
    given = give_program(found, Host(source or Arch.native()))
    print_warnings(found.name, given.warnings)
    return given.profile


def _ported(
    file: Path, profile: Profile, source: Arch, target: Arch, operation: Operation
) -> PortedProfile:
    if not profile.default_action:
        raise InputError(
            str(file),
            "",
            "the empty profile stands for no seccomp at all",
            remedy="it means the same on every architecture",
        )
    if source is target:
        raise InputError(
            str(file),
            "",
            f"it is for {target.title} already",
            remedy="name what it was made for with --from",
        )
    try:
        return operation(profile, source, target)
    except ValueError as error:
        remedy = f"seclatch profile resolve --arch {source.title} {file} -o resolved.json"
        raise InputError(str(file), "", str(error), remedy=remedy) from error


def _source(profile: Profile, target: Arch) -> Arch:
    """Return the architecture that the profile names, else this machine's, else not the target."""
    named = [arch for arch in profile.architectures if arch in TARGETS and arch is not target]
    native = [Arch.native()] if Arch.native() in TARGETS else []
    return next(arch for arch in (*named, *native, *TARGETS) if arch is not target)


def report_port(ported: PortedProfile, source: Arch, target: Arch) -> dict[str, Any]:
    """For machines; data/schemas/profile-port-1.json."""
    changes = [
        {
            "kind": each.kind,
            "name": each.name,
            "by": list(each.by),
            "rule": each.rule,
            "why": each.why,
        }
        for each in ported.changes
    ]
    head = {"schema": "seclatch.profile-port/1", "from": source.title, "to": target.title}
    return head | {"changes": changes, "profile": make_document(ported.profile)}
