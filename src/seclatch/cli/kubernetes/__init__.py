"""`seclatch kubernetes …`: one module for each subcommand."""

from __future__ import annotations

import click

from seclatch.cli.shared.lazy_group import LazyGroup

COMMANDS = {
    "manifest": "Print what a cluster needs to bring profiles to its nodes.",
    "plugin": "Print the plugin for `kubectl seclatch`.",
}


@click.group(cls=LazyGroup, commands_of=COMMANDS, package="seclatch.cli.kubernetes")
def command() -> None:
    """Manifests for Kubernetes.

    \b
    Examples:
      seclatch kubernetes manifest --key cosign.pub --profiles profiles.list
    """
