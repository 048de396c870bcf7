"""`seclatch tighten`: a further profile on a container that runs already."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from seclatch.cli.shared.duration import parse_duration
from seclatch.cli.shared.process_options import binding_profile_option
from seclatch.output.printable_text import make_printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seclatch.tighten.rehearse import DeniedCall
    from seclatch.tighten.tighten_report import TightenReport

_MOST = timedelta(days=1)


def _parse_seconds(ctx: click.Context, param: click.Parameter, value: str) -> float:
    duration = parse_duration(ctx, param, value)
    if duration > _MOST:
        raise click.BadParameter(f"{value!r} is more than a day")
    return duration.total_seconds()


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("target", metavar="CONTAINER|PID")
@binding_profile_option
@click.option(
    "--rehearse",
    default="10m",
    show_default=True,
    callback=_parse_seconds,
    metavar="TIME",
    help="Watch the container first, and put the profile on if nothing was denied.",
)
@click.option("--now", is_flag=True, help="Put it on at once, without a rehearsal.")
@click.option(
    "--wait",
    default="10s",
    show_default=True,
    callback=_parse_seconds,
    metavar="TIME",
    help="How long to wait for processes that cannot be stopped.",
)
@click.option(
    "--no-new-privs",
    type=click.Choice(["auto", "never"]),
    default="auto",
    show_default=True,
    help="Set no_new_privs where the kernel demands it, or refuse there.",
)
@click.option(
    "--runtime",
    type=click.Choice(["runc", "crun"]),
    default="runc",
    show_default=True,
    help="Which runtime's reading of the profile to compile.",
)
@click.option("--insist", is_flag=True, help="Even if the profile lacks what the processes need.")
@click.option("--dry-run", is_flag=True, help="Check everything and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, schema tighten/1.")
def command(
    target: str,
    profile: Path,
    rehearse: float,
    now: bool,
    wait: float,
    no_new_privs: str,
    runtime: str,
    insist: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Put a further profile on every process and thread of a running container.

    A server needs execve, bind and setuid to start and never again: this takes them away once it
    runs. The program is not restarted and sees no signal, EINTR or short count; what its present
    profile denies does not matter. The most restrictive of all filters wins, and children inherit
    them. It cannot be undone.

    The container is watched first (--rehearse), and nothing is changed if the profile would have
    denied one of its calls. With a process id, that process and its descendants are bound;
    they cannot be watched, so --now is needed. A second run with the same profile changes nothing.

    Exit status: 0 all processes are bound, 1 some are not, 2 the input is wrong, 125 nothing was
    changed.

    \b
    Examples:
      seclatch tighten web --profile running.json
      seclatch tighten web --profile running.json --rehearse 1h
      seclatch tighten web --profile running.json --dry-run
      seclatch tighten 1234 --profile running.json --now --no-new-privs never
    """
    from seclatch.cli.shared.result_output import require_stdout
    from seclatch.profile.compile.compile_profile import Runtime
    from seclatch.tighten.run_tighten import TightenOptions
    from seclatch.tighten.tighten_container import (
        DeniedInRehearsalError,
        TightenRequest,
        tighten_container,
    )

    require_stdout()
    options = TightenOptions(wait, no_new_privs, dry_run)
    request = TightenRequest(
        target, profile, Runtime(runtime), 0.0 if now else rehearse, insist, options, _notify
    )
    try:
        report = tighten_container(request)
    except DeniedInRehearsalError as error:
        _show_denied(error.denied)
        raise
    _show(report, as_json)
    return 0 if report.outcome.complete else 1


def _notify(message: str) -> None:
    click.echo(f"seclatch: {make_printable(message)}", err=True)


def _show(report: TightenReport, as_json: bool) -> None:
    from seclatch.tighten import tighten_report as text

    if as_json:
        click.echo(json.dumps(text.make_tighten_document(report)))
    else:
        for line in text.format_table(report):
            click.echo(line)
    for message in (*report.warnings, report.verified):
        if message:
            _notify(message)
    if not report.outcome.complete:
        for failure in text.explain_failures(report.outcome, report.names):
            click.echo(f"seclatch: not bound: {failure}", err=True)
        click.echo(f"  what to do: {text.suggest_remedy(report.outcome)}", err=True)


def _show_denied(denied: Sequence[DeniedCall]) -> None:
    for each in denied:
        often = f"{each.count} time{'s' if each.count != 1 else ''}"
        sure = "" if each.certain else " (with some arguments)"
        name = make_printable(each.process)
        click.echo(
            f"{make_printable(each.call)}: would be denied{sure}: {often}, by {name}", err=True
        )
