"""`seclatch run`: one command in a container, the profile binding only that command."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import click

from seclatch.cli.shared.command_words import CommandWords, RestrictedCommand
from seclatch.cli.shared.fast_exit import exit_fast
from seclatch.output.printable_text import make_printable


def _tell(sentence: str) -> None:
    click.echo(f"seclatch: {make_printable(sentence)}", err=True)


@click.command(
    cls=RestrictedCommand,
    context_settings={"help_option_names": ["-h", "--help"], "allow_interspersed_args": False},
    options_metavar="[OPTIONS] [--]",
)
@click.option(
    "--profile",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Seccomp profile in Docker's format. Without one the container has no filter.",
)
@click.option(
    "--rootfs",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Root of the container; never changed. Without it: a minimal one with busybox.",
)
@click.option(
    "--runtime",
    type=click.Choice(["runc", "crun"]),
    default="runc",
    show_default=True,
    help="OCI runtime.",
)
@click.option(
    "--latch",
    "mode",
    type=click.Choice(["auto", "suspend", "gate", "refuse"]),
    help="How the profile is kept off the runtime (see docs/rootless.md).  [default: auto]",
)
@click.option("--plain", is_flag=True, help="Without the latch: the filter binds the runtime too.")
@click.option(
    "-t/ ",
    "--tty/--no-tty",
    default=None,
    help="Give the container a terminal.  [default: if input and output are terminals]",
)
@click.option("-i", "--interactive", is_flag=True, hidden=True, help="The input is always passed.")
@click.option("--rm", is_flag=True, hidden=True, help="The container is always removed.")
@click.option("-u", "--user", default="", metavar="UID|NAME[:GID|GROUP]", help="Who CMD runs as.")
@click.option("-e", "--env", multiple=True, metavar="NAME[=VALUE]", help="Set or pass a variable.")
@click.option("-w", "--workdir", default="/", metavar="DIR", help="Working directory of CMD.")
@click.option("--hostname", metavar="NAME", help="The container's host name.")
@click.option("--name", metavar="ID", help="The container's id for the runtime.")
@click.option("--cap-add", multiple=True, metavar="CAP", help="Add a capability, or ALL.")
@click.option("--cap-drop", multiple=True, metavar="CAP", help="Drop a capability, or ALL.")
@click.option("--no-new-privs", is_flag=True, help="Set no_new_privs.")
@click.option("--read-only", is_flag=True, help="Mount the root read-only.")
@click.option(
    "-v",
    "--volume",
    "volumes",
    multiple=True,
    metavar="SRC:DST[:ro]",
    help="Show a file or directory of the host.",
)
@click.option(
    "--network",
    type=click.Choice(["none", "host"]),
    default="none",
    show_default=True,
    help="none: loopback only.",
)
@click.option("--dry-run", is_flag=True, help="Only print the OCI configuration (config.json).")
@click.argument("args", nargs=-1, required=True, type=CommandWords(), metavar="CMD [ARG]...")
def command(
    network: str,
    dry_run: bool,
    rootfs: Path | None,
    no_new_privs: bool,
    mode: str | None,
    **options: Any,
) -> None:
    """Run CMD in a container, without an engine; the profile binds only CMD.

    Defaults are those of `docker run`: capabilities, mounts, masked paths, environment.
    Terminal, input, signals and exit status are CMD's own; 125 means that the container could not
    be started, 126 that CMD is not executable, 127 that there is no CMD. What CMD writes is gone
    afterwards, except in volumes. Needs root.

    CMD is process 1 of the container. SIGTERM, SIGINT, SIGHUP or SIGQUIT to `seclatch run` ends it
    if it has no handler. ctrl-C in a terminal of the container's own goes to CMD alone; for a CMD
    that does not mind it give --no-tty.

    \b
    Examples:
      seclatch run -- sh
      seclatch run --profile strict.json -- grep Seccomp /proc/self/status
      seclatch run --profile strict.json --plain -- true     (to compare)
      seclatch run --runtime crun --user nobody -v .:/src:ro -w /src -- ls -l
      seclatch run --profile strict.json --dry-run -- true | jq .linux.seccomp
    """
    from seclatch.runtime.run_privilege import require_root
    from seclatch.runtime.run_request import RunRequest

    if not dry_run:
        require_root()

    if mode:
        os.environ["SECLATCH_MODE"] = mode  # of the latch; its tracer keeps it to itself
    del options["interactive"], options["rm"]  # always so, accepted out of habit
    request = RunRequest(
        rootfs=_rootfs(rootfs),
        host_network=network == "host",
        no_new_privileges=no_new_privs,
        **options,
    )
    from seclatch.runtime import run_container

    if dry_run:
        click.echo(json.dumps(run_container.make_run_config(request), indent=2))
        return
    exit_fast(run_container.run_container(request, _tell))


def _rootfs(given: Path | None) -> Path:
    from seclatch.runtime.container_rootfs import make_minimal_rootfs

    return given.absolute() if given else make_minimal_rootfs()
