"""`seclatch profile diff`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import click

from seclatch.cli.profile.diff_formats import name_call, write_markdown, write_sarif
from seclatch.cli.shared.profile_options import (
    PROFILE,
    host_from,
    host_options,
    read_given_profile,
)
from seclatch.cli.shared.result_output import require_stdout
from seclatch.profile.compile.runtime_limits import Runtime
from seclatch.profile.meaning.compared_side import make_side
from seclatch.profile.meaning.diff_profiles import (
    CallChange,
    CallEffect,
    ProfileDifference,
    diff_sides,
    report_difference,
)
from seclatch.profile.meaning.wider_change import is_wider
from seclatch.profile.uncompared_rules import list_uncompared

_MARKS = {
    CallEffect.ALLOWED: "+",
    CallEffect.DENIED: "-",
    CallEffect.MIXED: "±",
    CallEffect.ACTION: "~",
    CallEffect.UNDECIDED: "?",
}


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("before", type=PROFILE)
@click.argument("after", type=PROFILE)
@click.option(
    "--runtime",
    type=click.Choice([runtime.value for runtime in Runtime]),
    default=Runtime.RUNC.value,
    show_default=True,
    help="The runtime that compiles the profiles: runc adds a stub.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "markdown", "sarif"]),
    default="text",
    show_default=True,
    help="markdown: for a pull request. sarif: SARIF 2.1.0, for code scanning.",
)
@click.option("--json", "form", flag_value="json", help="As --format json, schema profile-diff/1.")
@click.option(
    "--fail-on",
    type=click.Choice(["any", "wider", "never"]),
    default="any",
    show_default=True,
    help="The difference for which the exit status is 1; wider: AFTER allows more, or may.",
)
@click.option("--exit-code", is_flag=True, hidden=True, help="As always; accepted out of habit.")
@host_options
def command(
    before: Path,
    after: Path,
    runtime: str,
    form: str,
    fail_on: Literal["any", "wider", "never"],
    **options: Any,
) -> None:
    """Tell which calls two profiles treat differently, on which ABIs, with which arguments.

    `+` newly allowed, `-` newly denied, `±` both, depending on arguments, `~` another action,
    `?` not decided, or not compared: rules for other hosts, names that are not known here. The
    exit status is 0 if the profiles mean the same, 1 if they differ or may (--fail-on), 2 on
    errors.

    With runc (the default) it counts which call a profile names as the highest: runc answers
    ENOSYS above. A raw BPF program is taken as it is. Where conditions overlap, libseccomp is
    asked which of them decides.

    \b
    Examples:
      seclatch profile diff old.json new.json
      seclatch profile diff --arch arm64 --cap-add SYS_ADMIN default.json strict.json
      seclatch profile diff --fail-on wider --format markdown main.json pull-request.json
    """
    require_stdout()
    del options["exit_code"]
    host = host_from(options)
    given = [read_given_profile(file, host) for file in (before, after)]
    found = diff_sides(
        *(make_side(x.profile, host.arch, Runtime(runtime), x.program, x.beyond) for x in given)
    )
    uncompared = list_uncompared(*given)
    if form == "text":
        print_difference(found)
        for sentence in uncompared:
            click.echo(f"? not compared, and may be wider: {sentence}")
    elif form == "json":
        document = report_difference(str(before), str(after), found)
        click.echo(json.dumps({**document, "uncompared": uncompared}))
    elif form == "markdown":
        click.echo(write_markdown(str(before), str(after), found, uncompared), nl=False)
    else:
        click.echo(write_sarif(given[1], found, uncompared), nl=False)
    wider = is_wider(found, uncompared)
    failed = {"any": bool(found) or wider, "wider": wider, "never": False}[fail_on]
    click.get_current_context().exit(1 if failed else 0)


def print_difference(found: ProfileDifference) -> None:
    """Show a difference for people."""
    for arch in found.opened:
        click.echo(f"+ the whole ABI {arch.scmp}: was killed, now filtered")
    for arch in found.closed:
        click.echo(f"- the whole ABI {arch.scmp}: was filtered, now killed")
    for change in found.changes:
        _print_change(change)


def _print_change(change: CallChange) -> None:
    name = name_call(change)
    arches = ", ".join(arch.title for arch in change.arches)
    click.echo(f"{_MARKS[change.effect]} {name}: {change.effect.value} ({arches})")
    click.echo(f"    was {'; '.join(change.before)}")
    click.echo(f"    now {'; '.join(change.after)}")
    if change.example:
        click.echo(f"    for example with {', '.join(map(hex, change.example))}")
    if change.effect is CallEffect.UNDECIDED:
        known = "are there others" if change.example else "is there a difference"
        click.echo(f"    {known}? ask both: seclatch profile test FILE '{name}(…)'")
