"""`seclatch profile diff`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from seclatch.cli.shared.profile_options import FILE, host_from, host_options, read_given_profile
from seclatch.cli.shared.result_output import require_stdout
from seclatch.output.printable_text import make_printable
from seclatch.profile.compile.runtime_limits import Runtime
from seclatch.profile.meaning.compared_side import make_side
from seclatch.profile.meaning.diff_profiles import (
    CallChange,
    CallEffect,
    ProfileDifference,
    diff_sides,
    report_difference,
)

_MARKS = {
    CallEffect.ALLOWED: "+",
    CallEffect.DENIED: "-",
    CallEffect.MIXED: "±",
    CallEffect.ACTION: "~",
    CallEffect.UNDECIDED: "?",
}


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("before", type=FILE)
@click.argument("after", type=FILE)
@click.option(
    "--runtime",
    type=click.Choice([runtime.value for runtime in Runtime]),
    default=Runtime.RUNC.value,
    show_default=True,
    help="Who compiles the profiles: runc adds a stub.",
)
@click.option("--json", "as_json", is_flag=True, help="As JSON, schema profile-diff/1.")
@host_options
def command(before: Path, after: Path, runtime: str, as_json: bool, **options: Any) -> None:
    """Tell which calls two profiles treat differently, on which ABIs, with which arguments.

    `+` newly allowed, `-` newly denied, `±` both, depending on arguments, `~` another action,
    `?` not decided. The exit status is 0 if the profiles mean the same, 1 if they differ or may,
    2 on errors.

    With runc (the default) it counts which call a profile names as the highest: runc answers
    ENOSYS above. A raw BPF program is taken as it is. Where conditions overlap, libseccomp is
    asked which of them decides.

    \b
    Examples:
      seclatch profile diff old.json new.json
      seclatch profile diff --arch arm64 --cap-add SYS_ADMIN default.json strict.json
    """
    require_stdout()
    host = host_from(options)
    sides = []
    for file in (before, after):
        one = read_given_profile(file, host)
        sides.append(make_side(one.profile, host.arch, Runtime(runtime), one.program, one.beyond))
    found = diff_sides(*sides)
    if as_json:
        click.echo(json.dumps(report_difference(str(before), str(after), found)))
    else:
        print_difference(found)
    click.get_current_context().exit(1 if found else 0)


def print_difference(found: ProfileDifference) -> None:
    """Show a difference for people."""
    for arch in found.opened:
        click.echo(f"+ the whole ABI {arch.scmp}: was killed, now filtered")
    for arch in found.closed:
        click.echo(f"- the whole ABI {arch.scmp}: was filtered, now killed")
    for change in found.changes:
        _print_change(change)


def _print_change(change: CallChange) -> None:
    name = "every call without a rule" if change.name == "*" else make_printable(change.name)
    if name.startswith("#"):
        name = f"calls without a rule, {name}"
    arches = ", ".join(arch.title for arch in change.arches)
    click.echo(f"{_MARKS[change.effect]} {name}: {change.effect.value} ({arches})")
    click.echo(f"    was {'; '.join(change.before)}")
    click.echo(f"    now {'; '.join(change.after)}")
    if change.example:
        click.echo(f"    for example with {', '.join(map(hex, change.example))}")
    if change.effect is CallEffect.UNDECIDED:
        known = "are there others" if change.example else "is there a difference"
        click.echo(f"    {known}? ask both: seclatch profile test FILE '{name}(…)'")
