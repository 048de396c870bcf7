"""`seclatch tighten`: a further profile on a container that runs already."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from seclatch.cli.shared.duration import parse_duration
from seclatch.output.printable_text import make_printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seclatch.tighten.rehearse import DeniedCall
    from seclatch.tighten.roles.tighten_roles import RoleRequest
    from seclatch.tighten.tighten_report import TightenReport

_MOST = timedelta(days=1)


def _parse_seconds(ctx: click.Context, param: click.Parameter, value: str) -> float:
    duration = parse_duration(ctx, param, value)
    if duration > _MOST:
        raise click.BadParameter(f"{value!r} is more than a day")
    return duration.total_seconds()


_ROLE = re.compile(r"((?:[^/=:]+:)?(?:main|worker))=(.+)", re.DOTALL)


def _parse_profiles(
    _ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]
) -> dict[str, Path]:
    """Return the files by role; that of "" is for all, or for processes of no other."""
    found: dict[str, Path] = {}
    for value in values:
        match = _ROLE.fullmatch(value)
        role, file = match.groups() if match else ("", value)
        if role in found:
            raise click.BadParameter(f"there are two for {role or 'all processes'}")
        found[role] = Path(file)
    return found


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("target", metavar="CONTAINER|PID")
@click.option(
    "--profile",
    "profiles",
    multiple=True,
    required=True,
    callback=_parse_profiles,
    metavar="[ROLE=]FILE",
    help="Seccomp profile, or a program made by `seclatch profile compile`; given again with "
    "main=, worker= or PROGRAM:worker= for processes of that role.",
)
@click.option(
    "--stay",
    is_flag=True,
    help="Go on and put it on processes that the container creates later, once they have started.",
)
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
    profiles: dict[str, Path],
    stay: bool,
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

    Filters of a role (see `seclatch show --by role`) bind the processes of that role alone. Those
    that they create later inherit them, and no other: a worker that is replaced is under the
    filter of main. With --stay this command goes on until the container ends, and puts the
    filter of their role on new processes, a second after they began. Exec sessions get none.

    Without root a user's own containers can be tightened (rootless Podman), with --now, where
    their present profile allows the calls that load a filter.

    Exit status: 0 all processes are bound, 1 some are not, 2 the input is wrong, 125 nothing was
    changed.

    \b
    Examples:
      seclatch tighten web --profile running.json
      seclatch tighten web --profile running.json --rehearse 1h
      seclatch tighten web --profile running.json --dry-run
      seclatch tighten web --profile main=main.json --profile worker=worker.json --stay
      seclatch tighten 1234 --profile running.json --now --no-new-privs never
    """
    from seclatch.cli.shared.result_output import require_stdout
    from seclatch.profile.compile.compile_profile import Runtime
    from seclatch.tighten.roles.tighten_roles import RoleRequest
    from seclatch.tighten.run_tighten import TightenOptions
    from seclatch.tighten.tighten_container import (
        DeniedInRehearsalError,
        TightenRequest,
        require_permission,
    )

    require_stdout()
    options = TightenOptions(wait, no_new_privs, dry_run)
    first = next(iter(profiles.values()))
    request = TightenRequest(
        target, first, Runtime(runtime), 0.0 if now else rehearse, insist, options, _notify
    )
    wanted = RoleRequest(request, profiles)
    if stay:
        require_permission()
    try:
        report = _tighten(wanted)
    except DeniedInRehearsalError as error:
        _show_denied(error.denied)
        raise
    _show(report, as_json)
    complete = report.outcome.complete
    if stay and report.outcome.can_stay and not dry_run:
        complete = _stay(wanted, as_json)
    elif not dry_run and len(profiles) > 1:
        _notify(
            "processes that are created later are under the filters of the process that creates "
            "them, and not under those of their role: --stay puts these on"
        )
    return 0 if complete else 1


def _tighten(wanted: RoleRequest) -> TightenReport:
    from seclatch.tighten.roles.tighten_roles import tighten_roles
    from seclatch.tighten.tighten_container import can_suspend, tighten_container

    by_role = set(wanted.profiles) != {""}
    if can_suspend():
        return tighten_roles(wanted) if by_role else tighten_container(wanted.request)
    from seclatch.tighten.unprivileged.own_processes import tighten_own_processes
    from seclatch.tighten.unprivileged.own_roles import tighten_own_roles

    return tighten_own_roles(wanted) if by_role else tighten_own_processes(wanted.request)


def _stay(wanted: RoleRequest, as_json: bool) -> bool:
    """Tighten what the container creates until it ends or a signal comes; all bound?"""
    from seclatch.tighten.roles.stay_tightened import stay_tightened

    complete = True
    _notify("watching for processes that are created from now on; Ctrl-C ends it")
    for report in stay_tightened(wanted):
        _show(report, as_json)
        complete &= report.outcome.complete
    return complete


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
