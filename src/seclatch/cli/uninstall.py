"""`seclatch uninstall`: undo what `install` did."""

from __future__ import annotations

from pathlib import Path

import click

from seclatch.cli.shared import engine_command as common
from seclatch.cli.shared.lazy_group import OpenCommand
from seclatch.engines.installer import make_engine, plan_uninstall

COMMANDS = {"watch": "Undo `seclatch install watch`."}


@click.command(
    cls=OpenCommand,
    commands_of=COMMANDS,
    package="seclatch.cli.uninstall_service",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@common.ENGINE
@common.DRY_RUN
@common.ROOT
@common.AS_JSON
def command(engine: str, dry_run: bool, root: Path, as_json: bool) -> None:
    """Undo `seclatch install ENGINE`.

    A configuration file without later changes is restored byte for byte; from a changed one only
    seclatch's entries are removed. Refused, with their names, while containers or pods run that
    need it.

    \b
    Examples:
      seclatch uninstall docker --dry-run
      seclatch uninstall podman
    """
    where = common.make_root(root)
    plan = plan_uninstall(make_engine(engine, where), where)
    common.execute_plan(plan, where, dry_run=dry_run, as_json=as_json)
