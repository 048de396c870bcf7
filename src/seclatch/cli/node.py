"""`seclatch node`."""

from __future__ import annotations

import json
import signal
import sys
import time
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seclatch.cli.shared.duration import parse_duration, parse_optional_duration
from seclatch.cli.shared.registry_options import access_from, limit_time, registry_options
from seclatch.cli.shared.result_output import require_stdout
from seclatch.errors import SeclatchError
from seclatch.output.printable_text import clip_printable

if TYPE_CHECKING:
    from seclatch.fleet.node_profiles import NodeProfiles
    from seclatch.fleet.pull_profile import PullPolicy
    from seclatch.registry.registry_http import RegistryAccess

SCHEMA = "seclatch.node-profiles/1"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--profiles",
    "list_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    metavar="LIST",
    help="Lines NAME HOST/REPOSITORY@sha256:…; read anew each time.",
)
@click.option(
    "--key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The publisher's public key (PEM): all profiles must be signed by it.",
)
@click.option("--allow-unsigned", is_flag=True, help="Without --key: take them as they are.")
@click.option(
    "--seccomp-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("/var/lib/kubelet/seccomp"),
    show_default=True,
    metavar="DIR",
    help="Kubelet's directory of profiles; they go to DIR/seclatch.",
)
@click.option(
    "--keep",
    callback=parse_duration,
    default="30d",
    show_default=True,
    metavar="TIME",
    help="How long a profile stays that is no longer listed.",
)
@click.option(
    "--once", is_flag=True, help="Once, and exit: for a timer. The default without --every."
)
@click.option(
    "--every", callback=parse_optional_duration, metavar="TIME", help="Again and again, so often."
)
@click.option("--json", "as_json", is_flag=True, help="A JSON object a line.")
@partial(registry_options, limited="For each profile.")
def command(
    list_file: Path,
    key: Path | None,
    allow_unsigned: bool,
    seccomp_dir: Path,
    keep: timedelta,
    once: bool,
    every: timedelta | None,
    as_json: bool,
    timeout: float,
    **options: Any,
) -> None:
    """Bring the profiles of a list from a registry to where kubelet looks for them.

    Each becomes DIR/seclatch/NAME-SHA12.json, SHA12 being the beginning of the reference's digest,
    and never changes: `localhostProfile: seclatch/NAME-SHA12.json` in a pod's template says what
    its containers are under. Docker and Podman take the files by path. The exit status is 1 if a
    profile could not be had; the others are there.

    \b
    Examples:
      seclatch node --once --profiles profiles.list --key cosign.pub
      seclatch node --every 1min --profiles /etc/seclatch/profiles.list --key /etc/seclatch/key.pub
    """
    from seclatch.fleet.pull_profile import PullPolicy

    require_stdout()
    if once and every:
        raise click.UsageError("--once and --every exclude each other")
    if key is None and not allow_unsigned:
        raise click.UsageError("give --key FILE, or --allow-unsigned")
    access, policy = access_from(options), PullPolicy(key=key, allow_unsigned=allow_unsigned)
    # The first process of a container ignores SIGTERM unless it handles it (pid_namespaces(7)).
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    while True:
        try:
            failed = _run_once(
                list_file, seccomp_dir, access, policy, keep, timeout, as_json=as_json
            )
        except SeclatchError as error:
            if every is None:
                raise
            # The list may be being replaced; what is there stays until one can be read.
            click.echo(f"seclatch: {clip_printable(str(error), 1000)}", err=True)
        if every is None:
            click.get_current_context().exit(1 if failed else 0)
        time.sleep(every.total_seconds())


def _run_once(
    list_file: Path,
    seccomp_dir: Path,
    access: RegistryAccess,
    policy: PullPolicy,
    keep: timedelta,
    timeout: float,
    *,
    as_json: bool,
) -> bool:
    """Fetch missing profiles, print the result, and return whether one failed."""
    from seclatch.fleet.node_profiles import NodeLimits, bring_profiles
    from seclatch.fleet.profile_list import read_profile_list

    listed = read_profile_list(list_file)
    limits = NodeLimits(keep.total_seconds(), partial(limit_time, timeout))
    done = bring_profiles(listed, seccomp_dir, access, policy, limits)
    if as_json:
        click.echo(json.dumps({"schema": SCHEMA, **_as_json(done)}))
    else:
        _print(done)
    sys.stdout.flush()
    return bool(done.failed)


def _as_json(done: NodeProfiles) -> dict[str, Any]:
    return {
        "there": done.there,
        "added": done.added,
        "removed": done.removed,
        "failed": done.failed,
    }


def _print(done: NodeProfiles) -> None:
    for what, names in (("added", done.added), ("removed", done.removed)):
        for name in names:
            click.echo(f"{what} {name}")
    for name, problem in done.failed.items():
        click.echo(f"seclatch: {name}: {clip_printable(problem, 1000)}", err=True)
