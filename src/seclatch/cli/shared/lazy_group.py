"""Command groups that import a command's module only when it is called."""

from __future__ import annotations

import importlib
from typing import Any

import click


class _Below(click.Command):
    """Subcommands by name, each in the module `<package>.<name>` (`_` for `-`) as `command`.

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
        return load_command(self.package, cmd_name) if cmd_name in self.commands_of else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from the table."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self.commands_of.items()))


class LazyGroup(_Below, click.Group):
    """A group of such commands."""


class OpenCommand(_Below):
    """A command that takes any arguments, the first of which may name a subcommand.

    `seclatch record merge …` is one of those; `seclatch record -- merge` runs a program.
    """

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Hand over to the command below, if the first word names one."""
        if not args or args[0] not in self.commands_of:
            return super().make_context(info_name, args, parent, **extra)
        name, *rest = args
        below = load_command(self.package, name)
        return below.make_context(f"{info_name} {name}", rest, parent, **extra)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands below after the options."""
        super().format_options(ctx, formatter)
        self.format_commands(ctx, formatter)


def load_command(package: str, name: str) -> click.Command:
    """Import the command called name."""
    module = importlib.import_module(f"{package}.{name.replace('-', '_')}")
    command: click.Command = module.command
    return command
