"""The words of another program's command line, as an argument: a program, and what it is given."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from seclatch.cli.shared.lazy_group import OpenCommand

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class CommandWords(click.types.UnprocessedParamType):
    """Taken as they are. A shell completes the first one as it would a command, others as files."""

    name = "words"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Complete subcommands and programs on PATH; the shell completes paths."""
        from click.shell_completion import CompletionItem

        if ctx.params.get(param.name or "") or "/" in incomplete:
            return [CompletionItem(incomplete, type="file")]
        below = ctx.command.commands_of if isinstance(ctx.command, OpenCommand) else ()
        names = sorted({*below, *_programs()})
        return [CompletionItem(each) for each in names if each.startswith(incomplete)]


class RestrictedCommand(click.Command):
    """A command that refuses its own restricting options behind CMD, unless -- is before CMD.

    `run true --profile FILE` would run `true` without the profile, and hand it to `true`.
    """

    restricting = frozenset({"--profile", "--cap-drop", "--no-new-privs", "--read-only"})

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse, then look for those options among CMD's arguments."""
        given = list(args)
        left = super().parse_args(ctx, args)
        words: tuple[str, ...] = ctx.params.get("args") or ()
        if given[: len(given) - len(words)][-1:] == ["--"]:
            return left
        for word in words[1:]:
            if word == "--":
                break
            if (option := word.partition("=")[0]) in self.restricting:
                raise click.UsageError(
                    f"{option} after the command {words[0]} would be an argument of that command: "
                    f"put it before {words[0]}, or write -- before {words[0]} if that is meant",
                    ctx,
                )
        return left


def _programs() -> Iterator[str]:
    for folder in os.get_exec_path():
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            yield from (each.name for each in entries if os.access(each.path, os.X_OK))
