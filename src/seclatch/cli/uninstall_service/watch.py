"""`seclatch uninstall watch`: undo `seclatch install watch`."""

from __future__ import annotations

from pathlib import Path

import click

from seclatch.cli.shared import engine_command as common
from seclatch.engines.services.watch_service import plan_service_removal


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@common.DRY_RUN
@common.ROOT
@common.AS_JSON
def command(dry_run: bool, root: Path, as_json: bool) -> None:
    """Stop and remove the service seclatch-watch. The log is kept.

    \b
    Examples:
      seclatch uninstall watch --dry-run
      seclatch uninstall watch
    """
    where = common.make_root(root)
    plan = plan_service_removal(where)
    common.execute_service_plan(plan, "uninstall", where, dry_run=dry_run, as_json=as_json)
