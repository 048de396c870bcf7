"""`seclatch ps`: the process tree with the filters that bind each process."""

from __future__ import annotations

import json
import math
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from seclatch.cli.shared.process_options import (
    container_option,
    no_engines_option,
    pid_option,
    pods_option,
)
from seclatch.output.printable_text import make_printable

if TYPE_CHECKING:
    from seclatch.model.pod import PodSelector
    from seclatch.process.process_selection import ProcessSelection
    from seclatch.process.process_snapshot import SnapshotRequest


def _finite(_: click.Context, __: click.Parameter, value: float | None) -> float | None:
    """No range excludes what compares with nothing."""
    if value is not None and math.isnan(value):
        raise click.BadParameter("it is no number")
    return value


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@pid_option
@container_option
@pods_option
@click.option(
    "-n", "--name", "names", multiple=True, metavar="PATTERN", help="Only programs so named (*, ?)."
)
@click.option("-f", "--filtered", is_flag=True, help="Only processes under seccomp.")
@click.option(
    "--tree/--flat", default=True, show_default=True, help="With ancestors, or one below the other."
)
@click.option("-t", "--threads", is_flag=True, help="All threads, not only those that differ.")
@click.option(
    "--profile",
    "profiles",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE",
    help="Tell which filters are this profile's, as runc or crun compile it, or this program.",
)
@click.option("--no-filters", is_flag=True, help="Only numbers: do not read programs.")
@no_engines_option
@click.option(
    "-w",
    "--watch",
    type=click.FloatRange(min=0.1, max=86_400),
    is_flag=False,
    flag_value=2.0,
    callback=_finite,
    metavar="[SECONDS]",
    help="Look again every 2 (or so many) seconds, until ctrl-C.",
)
@click.option("--json", "as_json", is_flag=True, help="As JSON, schema ps/1; a line each time.")
def command(
    pids: tuple[int, ...],
    containers: tuple[str, ...],
    pods: tuple[PodSelector, ...],
    names: tuple[str, ...],
    filtered: bool,
    tree: bool,
    threads: bool,
    profiles: tuple[Path, ...],
    no_filters: bool,
    no_engines: bool,
    watch: float | None,
    as_json: bool,
) -> int:
    """Show all processes with their seccomp mode and filters, and what loaded those.

    SECCOMP is as in /proc/PID/status: 0 none, 1 strict, 2 filter, 3 killed by its filter. FILTER is
    a fingerprint, the same for the same program, with the profile's name if one is known that
    compiles to it. BY is what loaded it. No process is stopped. Without root there are
    numbers but no fingerprints.

    The exit status is 1 if something was asked for and nothing found.

    \b
    Examples:
      seclatch ps
      seclatch ps --container web
      seclatch ps --pod default/shop/web
      seclatch ps --filtered --flat --profile strict.json
      seclatch ps --name 'containerd-shim*' --json
    """
    from seclatch.cli.shared.result_output import require_stdout
    from seclatch.process.process_selection import ProcessSelection
    from seclatch.process.process_snapshot import SnapshotRequest

    require_stdout()
    selection = ProcessSelection(pids, containers, names, filtered, pods)
    wish = SnapshotRequest(threads, not no_filters, not no_engines, profiles)
    found = _once(wish, selection, tree, as_json, clear=False)
    while watch is not None:
        time.sleep(watch)
        found = _once(wish, selection, tree, as_json, clear=sys.stdout.isatty())
    return 0 if found else 1


def _once(
    wish: SnapshotRequest, selection: ProcessSelection, tree: bool, as_json: bool, *, clear: bool
) -> bool:
    from seclatch.process.process_selection import describe_absence, select_processes
    from seclatch.process.process_snapshot import take_snapshot
    from seclatch.report.tables import process_table as report

    view = take_snapshot(wish)
    chosen = select_processes(view.processes, selection)
    lines = report.list_tree(view.processes, chosen) if tree else report.list_flat(chosen)
    notes = [*view.notes, *report.tell_cut(lines)]
    if not chosen:
        notes += describe_absence(view.processes, selection)
    if as_json:
        click.echo(json.dumps(report.make_table_document(lines, notes)))
        return bool(chosen)
    if clear:
        click.clear()
    terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if terminal else None
    for line in report.show_table(lines, width) if chosen else ():
        click.echo(line)
    for note in notes:
        click.echo(f"seclatch: {make_printable(note)}", err=True)
    return bool(chosen)
