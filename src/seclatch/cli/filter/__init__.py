"""`seclatch filter …`: one module for each subcommand."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from seclatch.cli.shared.complete_names import complete_target
from seclatch.cli.shared.lazy_group import LazyGroup

COMMANDS = {
    "of": "Show the filters of a live process or container; the word may be left out.",
    "disassemble": "List a BPF program with the names of calls and actions.",
    "decompile": "Find the rules that a BPF program was made of.",
}


class _FilterGroup(LazyGroup):
    """What is none of the commands is what `of` is about: `seclatch filter 1234`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the word `of` in front where it was left out."""
        if args and args[0] not in (*COMMANDS, *ctx.help_option_names):
            args = ["of", *args]
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete commands, containers and processes."""
        found = super().shell_complete(ctx, incomplete)
        return [*found, *complete_target(ctx, None, incomplete)]


@click.group(
    cls=_FilterGroup,
    commands_of=COMMANDS,
    package="seclatch.cli.filter",
    subcommand_metavar="PID|CONTAINER|COMMAND [ARGS]...",
)
def command() -> None:
    """Show filters: the BPF programs that the kernel runs, of live processes and in files.

    With a process id or a container's name or id, the filters that it is under are shown
    (see `seclatch filter of --help`).

    FILE is a raw program: `struct sock_filter` after `struct sock_filter`, as seccomp_export_bpf
    and `seclatch profile compile` write it. One that the kernel would refuse is refused with the
    kernel's reason.

    \b
    Examples:
      seclatch filter 1234
      seclatch filter web --test 'openat(AT_FDCWD)'
      seclatch filter disassemble strict.bpf
      seclatch filter decompile strict.bpf > profile.json
    """
