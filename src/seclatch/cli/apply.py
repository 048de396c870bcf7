"""`seclatch apply`: a program under a further profile, without privileges."""

from __future__ import annotations

from pathlib import Path

import click

from seclatch.cli.shared.command_words import CommandWords
from seclatch.cli.shared.process_options import binding_profile_option
from seclatch.errors import SeclatchError
from seclatch.output.printable_text import make_printable

NOT_STARTED = 125


@click.command(
    context_settings={"help_option_names": ["-h", "--help"], "allow_interspersed_args": False},
    options_metavar="[OPTIONS] [--]",
)
@binding_profile_option
@click.option(
    "--allow-exec",
    is_flag=True,
    help="Load the filter before the exec, without ptrace: the profile must allow execve.",
)
@click.argument("args", nargs=-1, required=True, type=CommandWords(), metavar="CMD [ARG]...")
def command(profile: Path, allow_exec: bool, args: tuple[str, ...]) -> None:
    """Become CMD under the profile, from its first instruction, in addition to other filters.

    For everybody, in any container or none: no privilege, namespace or runtime is needed. The most
    restrictive of all filters wins. no_new_privs is set, so set-uid files give CMD nothing. The
    profile need not allow anything for the start, not even execve. Conditions are resolved for
    this host and the capabilities of this process.

    Exit status: CMD's own; 125 means that nothing was started (2: for a wrong option), 126 that CMD
    is not executable, 127 that there is no CMD. In images, the static program seclatch-apply does
    the same with a compiled profile.

    \b
    Examples:
      seclatch apply --profile strict.json -- make test
      seclatch apply --profile net-less.json sh -c 'curl example.org'
      seclatch profile compile --format bpf strict.json -o strict.bpf
      seclatch apply --profile strict.bpf -- ls -l
    """
    from seclatch.apply import launch, loadable

    try:
        ready = loadable.read_loadable(profile)
    except SeclatchError as error:
        error.status = NOT_STARTED  # CMD may have a status of 2 itself
        raise
    for name in ready.ignored:
        click.echo(
            f"seclatch: {make_printable(str(profile))}: {make_printable(name)}: "
            "unknown to libseccomp, ignored",
            err=True,
        )
    launch.exec_program(ready, args, allow_exec=allow_exec)
