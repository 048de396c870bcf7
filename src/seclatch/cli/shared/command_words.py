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


class Words(click.types.UnprocessedParamType):
    """Taken as they are. A shell completes the first one as it would a command, others as files."""

    name = "words"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Name the commands below, if there are some, and the programs that the shell would find;
        paths are the shell's to complete."""
        from click.shell_completion import CompletionItem

        if ctx.params.get(param.name or "") or "/" in incomplete:
            return [CompletionItem(incomplete, type="file")]
        below = ctx.command.commands_of if isinstance(ctx.command, OpenCommand) else ()
        names = sorted({*below, *_programs()})
        return [CompletionItem(each) for each in names if each.startswith(incomplete)]


def _programs() -> Iterator[str]:
    for folder in os.get_exec_path():
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            yield from (each.name for each in entries if os.access(each.path, os.X_OK))
