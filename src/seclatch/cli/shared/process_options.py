"""Options of several commands: which processes, and under which profile."""

from __future__ import annotations

from pathlib import Path

import click

from seclatch.cli.shared.complete_names import complete_container, complete_pid

container_option = click.option(
    "-c",
    "--container",
    "containers",
    multiple=True,
    metavar="NAME|ID",
    shell_complete=complete_container,
    help="Only the processes of this container.",
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
