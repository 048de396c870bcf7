"""Names of system calls on the command line."""

from __future__ import annotations

import click


def parse_calls(_ctx: click.Context, _param: click.Parameter, value: tuple[str, ...]) -> object:
    """Refuse what is no system call, with the name that was probably meant."""
    from seclatch.model.syscall import list_syscall_names
    from seclatch.profile.parse.suggest_keyword import suggest_nearest

    known = list_syscall_names()
    for name in value:
        if name not in known:
            hint = suggest_nearest(name, known)
            raise click.BadParameter(f"there is no system call {name!r}" + (hint and f"; {hint}"))
    return value
