"""Options of several commands: which processes, and under which profile."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from seclatch.cli.shared.complete_names import complete_container, complete_pid, complete_pod

if TYPE_CHECKING:
    from seclatch.model.pod import PodSelector

container_option = click.option(
    "-c",
    "--container",
    "containers",
    multiple=True,
    metavar="NAME|ID",
    shell_complete=complete_container,
    help="Only the processes of this container.",
)


def parse_pods(
    _: click.Context, __: click.Parameter, values: tuple[str, ...]
) -> tuple[PodSelector, ...]:
    """Parse each NAMESPACE/POD[/CONTAINER]."""
    from seclatch.model.pod import parse_pod

    try:
        return tuple(parse_pod(value) for value in values)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def parse_one_pod(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    """Return NAMESPACE/POD[/CONTAINER] if that is what was given."""
    return str(parse_pods(_, __, (value,))[0]) if value is not None else None


pods_option = click.option(
    "--pod",
    "pods",
    multiple=True,
    metavar="NAMESPACE/POD[/CONTAINER]",
    callback=parse_pods,
    shell_complete=complete_pod,
    help="Only this pod of Kubernetes, or this container of it.",
)

pid_option = click.option(
    "-p",
    "--pid",
    "pids",
    type=int,
    multiple=True,
    shell_complete=complete_pid,
    help="Only this process.",
)

no_engines_option = click.option("--no-engines", is_flag=True, help="Do not ask engines for names.")

binding_profile_option = click.option(
    "--profile",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE",
    help="Seccomp profile, or a program made by `seclatch profile compile`.",
)
