"""Command groups that import a command's module only when it is called."""

from __future__ import annotations

import importlib
from typing import Any

import click


class LazyGroup(click.Group):
    """Commands by name: the module `<package>.<name>` (`_` for `-`) holds a click command
    called `command`.

    `commands_of` maps each name to its line of help, so that `--help` imports none of them.
    """

    def __init__(self, *args: Any, commands_of: dict[str, str], package: str, **more: Any) -> None:
        super().__init__(*args, **more)
        self.commands_of = commands_of
        self.package = package

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands in the order of the table."""
        return list(self.commands_of)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load the command's module or answer None, as click expects."""
        if cmd_name not in self.commands_of:
            return None
        module = importlib.import_module(f"{self.package}.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from the table."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self.commands_of.items()))
