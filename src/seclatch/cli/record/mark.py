"""`seclatch record mark`: say by hand that a recorded program is ready."""

from __future__ import annotations

from pathlib import PurePosixPath

import click

from seclatch.errors import SeclatchError

_REMEDY = "`seclatch record` runs as a process of its own: give its process id"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--record-dir",
    type=click.Path(path_type=PurePosixPath),
    metavar="DIR",
    help="Where recordings of annotated containers go.  [default: as installed]",
)
@click.argument("name", metavar="[NAME|ID|PID]", required=False)
def command(record_dir: PurePosixPath | None, name: str | None) -> None:
    """Begin the running phase of a recording now: the program is ready.

    Calls are counted apart from then on. PID is the process id of a `seclatch record`; NAME and ID
    mean annotated containers, as in `seclatch record flush`. Without any the only `seclatch record`
    that runs is meant. A later mark replaces an earlier one. It is the same as SIGUSR2 to the
    recorder.

    \b
    Examples:
      seclatch record mark
      seclatch record mark 4711
      seclatch record mark web
    """
    from seclatch.recording.running_recorders import is_recorder, list_recorders, mark_recorder

    if name is None:
        pids = list_recorders()
        if len(pids) != 1:
            what = f"there are {len(pids)} of them: {', '.join(map(str, pids))}" if pids else ""
            raise SeclatchError(
                f"looking for a running `seclatch record`: {what or 'there is none'}",
                remedy=_REMEDY,
                status=2,
            )
    elif name.isdigit() and is_recorder(int(name)):
        pids = [int(name)]
    else:
        _mark_annotated(record_dir, name)
        return
    for pid in pids:
        mark_recorder(pid)
        click.echo(f"marked: the recorder {pid} begins the running phase")


def _mark_annotated(record_dir: PurePosixPath | None, name: str) -> None:
    from seclatch.cli.record.spools import ask

    if not name:  # every id begins with nothing
        raise click.UsageError("NAME is empty.")
    files = ask("mark", name, record_dir)
    if not files:
        raise SeclatchError(f"looking for a recording of {name}: there is none", remedy=_REMEDY)
    for file in files:
        click.echo(f"marked: {file} begins the running phase")
