"""What `install` and `uninstall` share: options, showing a plan, carrying it out."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from seclatch.engines.installation.file_change import ChangeStep, apply_steps
from seclatch.engines.installation.host_root import SYSTEM_PATH, HostRoot
from seclatch.engines.installer import InstallPlan
from seclatch.engines.services.watch_service import ServicePlan
from seclatch.errors import SeclatchError
from seclatch.output.printable_text import make_printable

_ENGINES = ("docker", "podman", "containerd", "crio", "k3s", "rke2")


def _complete_engine(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    """List what the first word may be: an engine, or the service `watch`."""
    return [name for name in (*_ENGINES, "watch") if name.startswith(incomplete)]


ENGINE = click.argument("engine", type=click.Choice(_ENGINES), shell_complete=_complete_engine)
DRY_RUN = click.option("--dry-run", is_flag=True, help="Print the plan and change nothing.")
ROOT = click.option(
    "--root",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path("/"),
    help="Work on the system tree below this directory; no engine is reloaded.",
)
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")


def make_root(prefix: Path) -> HostRoot:
    """Make the root from the option, free of links and dots."""
    return HostRoot(prefix.resolve())


def execute_plan(plan: InstallPlan, root: HostRoot, *, dry_run: bool, as_json: bool) -> None:
    """Show the plan and, unless it is only to be shown, carry it out."""
    if plan.steps and not dry_run:
        refuse_without_root(root, plan.engine.name)
    if not as_json:
        show_steps(plan.engine.name, plan.steps, dry_run=dry_run)
    if not dry_run:
        apply_steps(plan.steps)
    if as_json:
        click.echo(json.dumps(as_value(plan, dry_run=dry_run), indent=2))
    else:
        show_notes(plan.notes)


def execute_service_plan(
    plan: ServicePlan, action: str, root: HostRoot, *, dry_run: bool, as_json: bool
) -> None:
    """Show the plan of the service `watch` and, unless it is only to be shown, carry it out."""
    if plan.steps and not dry_run:
        refuse_without_root(root, "watch")
    if not as_json:
        show_steps("watch", plan.steps, dry_run=dry_run)
    if not dry_run:
        apply_steps(plan.steps)
    if as_json:
        steps = [{"do": one.describe(), "diff": one.diff()} for one in plan.steps]
        value = {"service": "watch", "action": action, "dry_run": dry_run}
        click.echo(json.dumps({**value, "steps": steps, "notes": plan.notes}, indent=2))
    else:
        show_notes(plan.notes)


def refuse_without_root(root: HostRoot, name: str) -> None:
    """Say early that the system's files need root."""
    if root.is_host and os.geteuid() != 0:
        raise SeclatchError(
            f"changing the configuration of {name}: only root may do that",
            remedy=as_root(sys.argv),
        )


def as_root(arguments: list[str]) -> str:
    """Return this command line with sudo; its PATH is the system's (sudoers(5), secure_path)."""
    program = shutil.which("seclatch", path=":".join(SYSTEM_PATH))
    if program is None and Path(arguments[0]).name == "seclatch":
        program = shutil.which(arguments[0]) or arguments[0]
        return shlex.join(["sudo", os.path.abspath(program), *arguments[1:]])  # noqa: PTH100
    return shlex.join(["sudo", "seclatch", *arguments[1:]])


def show_steps(name: str, steps: Sequence[ChangeStep], *, dry_run: bool) -> None:
    """Print the steps, with the changed lines of configuration files."""
    if not steps:
        click.echo(f"{name}: nothing to do")
        return
    click.echo(f"{name}:{' (dry run, nothing is changed)' if dry_run else ''}")
    for step in steps:
        click.echo(f"  {make_printable(step.describe())}")
        for line in step.diff():
            click.echo(f"      {make_printable(line.expandtabs(4))}")


def show_notes(notes: Sequence[str]) -> None:
    """Print what the user should know or do now."""
    for note in notes:
        click.echo(f"  {make_printable(note)}")


def as_value(plan: InstallPlan, *, dry_run: bool) -> dict[str, Any]:
    """Return the plan for machines."""
    return {
        "engine": plan.engine.name,
        "action": "install" if plan.wish else "uninstall",
        "front": plan.wish.front if plan.wish else None,
        "dry_run": dry_run,
        "steps": [{"do": one.describe(), "diff": one.diff()} for one in plan.steps],
        "notes": plan.notes,
    }
