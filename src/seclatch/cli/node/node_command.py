"""`seclatch node`."""

from __future__ import annotations

import os
import signal
import sys
import time
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seclatch.cli.node.node_options import latch_options, shipping_options
from seclatch.cli.shared.duration import parse_duration, parse_optional_duration
from seclatch.cli.shared.registry_options import access_from, limit_time, registry_options
from seclatch.cli.shared.result_output import require_stdout

if TYPE_CHECKING:
    from seclatch.agent.host_latch import HostLatch
    from seclatch.agent.node_agent import NodeAgent, ProfileWish
    from seclatch.agent.ship_counts import ShipWish
    from seclatch.engines.installation.host_root import HostRoot


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--profiles",
    "list_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
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
@latch_options
@shipping_options
@click.option(
    "--once", is_flag=True, help="Once, and exit: for a timer. The default without --every."
)
@click.option(
    "--every", callback=parse_optional_duration, metavar="TIME", help="Again and again, so often."
)
@click.option("--json", "as_json", is_flag=True, help="A JSON object a line.")
@partial(registry_options, limited="For each profile and push.")
def command(
    once: bool, every: timedelta | None, as_json: bool, remove: bool, **options: Any
) -> None:
    """Keep a host as listed: the latch installed and proved, profiles there, recordings sent.

    Each part is done if its option is given. --profiles: each becomes
    DIR/seclatch/NAME-SHA12.json, SHA12 being the beginning of the reference's digest, and never
    changes: `localhostProfile: seclatch/NAME-SHA12.json` in a pod's template says what its
    containers are under. Docker and Podman take the files by path. --install: as `seclatch
    install`, then containerd is restarted if its configuration changed, and a probe container is
    started by the latch. --label: the node's label seclatch.io/latch=ready after that. --ship: the
    counts of recordings go to a registry. In a container, give the host's root by --root. The exit
    status is 1 if something failed; the rest is done.

    \b
    Examples:
      seclatch node --once --profiles profiles.list --key cosign.pub
      seclatch node --every 1min --profiles /etc/seclatch/profiles.list --key /etc/seclatch/key.pub
      seclatch node --once --install docker --runtime runc
      seclatch node --once --install docker --remove
      seclatch node --once --ship registry.example/recordings --sign key.pem
    """
    require_stdout()
    if once and every:
        raise click.UsageError("--once and --every exclude each other")
    # The first process of a container ignores SIGTERM unless it handles it (pid_namespaces(7)).
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if remove:
        _remove_until_done(options, every)
        return
    agent = _make_agent(options)
    run = partial(_run_once, agent, as_json=as_json)
    while every is not None:
        run()
        time.sleep(every.total_seconds())
    click.get_current_context().exit(run())


def _run_once(agent: NodeAgent, *, as_json: bool) -> int:
    """Do one round, print it, and return the exit status."""
    from seclatch.cli.node.node_output import print_json, print_lines

    done = agent.run_round()
    (print_json if as_json else print_lines)(done)
    sys.stdout.flush()
    statuses = [error.status for error in done.errors.values()]
    return max(statuses) if statuses else int(done.failed)


def _make_agent(options: dict[str, Any]) -> NodeAgent:
    """Check all options and return what the rounds do."""
    from seclatch.agent.node_agent import NodeAgent
    from seclatch.agent.node_label import find_node_api
    from seclatch.agent.ready_label import ReadyLabel

    if not (options["list_file"] or options["install"] or options["ship"]):
        raise click.UsageError("nothing to do: give --profiles, --install or --ship")
    if options["record_annotations"] and not options["install"]:
        raise click.UsageError("--record-annotations needs --install: the latch asks for them")
    if options["label"] and not options["install"]:
        raise click.UsageError("--label needs --install: the label says that the latch works")
    root = _open_root(options)
    access, limit = access_from(options), partial(limit_time, options["timeout"])
    label = ReadyLabel(find_node_api(options["label"])) if options["label"] else None
    return NodeAgent(
        access,
        limit,
        latch=_make_latch(options, root) if options["install"] else None,
        label=label,
        profiles=_make_profiles(options, root),
        ship=_make_shipping(options, root),
        ship_seconds=options["ship_every"].total_seconds(),
    )


def _open_root(options: dict[str, Any]) -> HostRoot:
    from seclatch.agent.mounted_host import open_host_root

    return open_host_root(options["root"])


def _make_profiles(options: dict[str, Any], root: HostRoot) -> ProfileWish | None:
    from seclatch.agent.node_agent import ProfileWish
    from seclatch.fleet.node_profiles import NodeLimits
    from seclatch.fleet.pull_profile import PullPolicy

    if options["list_file"] is None:
        return None
    if options["key"] is None and not options["allow_unsigned"]:
        raise click.UsageError("give --key FILE, or --allow-unsigned")
    limits = NodeLimits(options["keep"].total_seconds(), partial(limit_time, options["timeout"]))
    policy = PullPolicy(key=options["key"], allow_unsigned=options["allow_unsigned"])
    folder = _below(root, options["seccomp_dir"])
    return ProfileWish(options["list_file"], folder, policy, limits)


def _make_latch(options: dict[str, Any], root: HostRoot) -> HostLatch:
    from seclatch.agent.host_latch import HostLatch
    from seclatch.engines.installation.engine import LatchRegistration
    from seclatch.engines.installer import make_engine
    from seclatch.model.recorder_limits import RecorderLimits

    name = options["install"]
    present = [one for one in make_engine(name, root).runtimes if root.find_program(one)]
    runtime = options["runtime"] or [*present, "runc"][0]
    recorder = RecorderLimits() if options["record_annotations"] else None
    wish = LatchRegistration(name, runtime, options["default"], recorder=recorder)
    return HostLatch(root, wish, may_restart=not options["no_restart"])


def _make_shipping(options: dict[str, Any], root: HostRoot) -> ShipWish | None:
    from seclatch.agent.ship_counts import ShipWish
    from seclatch.fleet.counts_artifact import name_node
    from seclatch.fleet.push_profile import read_signing_key

    if options["ship"] is None:
        return None
    return ShipWish(
        recordings=_below(root, options["recordings"]),
        counts=_below(root, options["counts"]),
        repository=options["ship"],
        node=name_node(root.resolve("/etc/machine-id")),
        percent=options["ship_percent"],
        most_bytes=options["ship_limit"] << 20,
        key=read_signing_key(options["sign"], os.environ.get("SECLATCH_SIGN_PASSWORD", "")),
    )


def _below(root: HostRoot, path: Path) -> Path:
    return path if root.is_host else root.resolve(str(path))


def _remove_until_done(options: dict[str, Any], every: timedelta | None) -> None:
    """Undo the installation; with --every try until it is done, then wait for the end."""
    from seclatch.agent.node_agent import remove_latch
    from seclatch.agent.node_label import find_node_api
    from seclatch.cli.shared.print_error import print_error
    from seclatch.errors import SeclatchError
    from seclatch.output.printable_text import make_printable

    if not options["install"]:
        raise click.UsageError("--remove needs --install ENGINE: the latch of which engine")
    latch = _make_latch(options, _open_root(options))
    api = find_node_api(options["label"]) if options["label"] else None
    while True:
        try:
            for change in remove_latch(latch, api):
                click.echo(make_printable(change))
        except SeclatchError as error:
            if every is None:
                raise
            print_error(error)
        else:
            click.echo("the latch is not installed")
        sys.stdout.flush()
        if every is None:
            return
        time.sleep(every.total_seconds())
