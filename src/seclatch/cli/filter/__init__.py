"""`seclatch filter …`: one module for each subcommand."""

from __future__ import annotations

import click

from seclatch.cli.lazy import LazyGroup

COMMANDS = {
    "disassemble": "List a BPF program with the names of calls and actions.",
    "decompile": "Find the rules that a BPF program was made of.",
}


@click.group(cls=LazyGroup, commands_of=COMMANDS, package="seclatch.cli.filter")
def command() -> None:
    """Filters: the BPF programs that the kernel runs.

    FILE is a raw program: `struct sock_filter` after `struct sock_filter`, as seccomp_export_bpf
    and `seclatch profile compile` write it. One that the kernel would refuse is refused with the
    kernel's reason.

    \b
    Examples:
      seclatch filter disassemble strict.bpf
      seclatch filter decompile strict.bpf > profile.json
    """
