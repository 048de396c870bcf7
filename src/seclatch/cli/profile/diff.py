"""`seclatch profile diff`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from seclatch.cli.profile.options import FILE, host_from, host_options, resolved
from seclatch.profile.compare import Change, Difference, Effect, diff, report
from seclatch.report.text import printable

_MARKS = {
    Effect.ALLOWED: "+",
    Effect.DENIED: "-",
    Effect.MIXED: "±",
    Effect.ACTION: "~",
    Effect.UNDECIDED: "?",
}


@click.command()
@click.argument("before", type=FILE)
@click.argument("after", type=FILE)
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@host_options
def command(before: Path, after: Path, as_json: bool, **options: Any) -> None:
    """Tell which calls two profiles treat differently, on which ABIs, with which arguments.

    `+` newly allowed, `-` newly denied, `±` both, depending on arguments, `~` another action,
    `?` not decided: overlapping conditions, masks beside other comparisons, too many combinations.
    The exit status is 0 if the rules mean the same, 1 if they differ or may, 2 on errors. What
    runc adds above the highest call that a profile names is not compared.

    \b
    Examples:
      seclatch profile diff old.json new.json
      seclatch profile diff --arch arm64 --cap-add SYS_ADMIN default.json strict.json
    """
    host = host_from(options)
    found = diff(resolved(before, host), resolved(after, host), host.arch)
    if as_json:
        click.echo(json.dumps(report(str(before), str(after), found)))
    else:
        _print(found)
    click.get_current_context().exit(1 if found else 0)


def _print(found: Difference) -> None:
    for arch in found.opened:
        click.echo(f"+ the whole ABI {arch.scmp}: was killed, now filtered")
    for arch in found.closed:
        click.echo(f"- the whole ABI {arch.scmp}: was filtered, now killed")
    for change in found.changes:
        _print_change(change)


def _print_change(change: Change) -> None:
    name = "every call without a rule" if change.name == "*" else printable(change.name)
    arches = ", ".join(arch.title for arch in change.arches)
    click.echo(f"{_MARKS[change.effect]} {name}: {change.effect.value} ({arches})")
    click.echo(f"    was {'; '.join(change.before)}")
    click.echo(f"    now {'; '.join(change.after)}")
    if change.example:
        click.echo(f"    for example with {', '.join(map(hex, change.example))}")
