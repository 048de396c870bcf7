"""`seclatch install watch`: keep `seclatch watch` running as a service of systemd."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from seclatch.cli.shared import engine_command as common
from seclatch.engines.services.watch_service import plan_service, refuse_temporary
from seclatch.errors import SeclatchError


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--cheap", is_flag=True, help="Refuse what slows down others (see `watch --cheap`).")
@click.option(
    "--metrics",
    metavar="[HOST:]PORT",
    help="Serve metrics for Prometheus; on 127.0.0.1 without a HOST.",
)
@click.option("--journal", is_flag=True, help="Also to systemd's journal.")
@click.option(
    "--profile",
    "profiles",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE",
    help="Name this profile, and its rules, where a filter was compiled from it.",
)
@common.DRY_RUN
@common.ROOT
@common.AS_JSON
def command(
    cheap: bool,
    metrics: str | None,
    journal: bool,
    profiles: tuple[Path, ...],
    dry_run: bool,
    root: Path,
    as_json: bool,
) -> None:
    """Write, enable and start the service seclatch-watch, with the least privileges that work.

    It logs to /var/log/seclatch/denials.json, for root alone, rotated by size.
    `seclatch uninstall watch` undoes it and keeps the log.

    \b
    Examples:
      seclatch install watch --dry-run
      seclatch install watch --metrics 9475 --profile /etc/seclatch/web.json
    """
    options = ["--cheap"] * cheap + ["--journal"] * journal
    if metrics is not None:
        _require_metrics(metrics)
        options += ["--metrics", metrics]
    _require_profiles(profiles)
    options += [word for path in profiles for word in ("--profile", str(path.resolve()))]
    where = common.make_root(root)
    plan = plan_service(where, options)
    common.execute_service_plan(plan, "install", where, dry_run=dry_run, as_json=as_json)


def _require_profiles(profiles: Sequence[Path]) -> None:
    """Raise SeclatchError now for what the service could not read, and not in its journal."""
    from seclatch.process.recognize_profiles import read_files

    read_files(profiles)
    for path in profiles:
        refuse_temporary(path)


def _require_metrics(address: str) -> None:
    """Raise SeclatchError now, and not in the service."""
    import importlib.util

    from seclatch.watch.targets.metrics import parse_address

    parse_address(address)
    if importlib.util.find_spec("prometheus_client") is None:
        raise SeclatchError(
            "serving metrics: prometheus_client is not installed",
            remedy="install seclatch with it: pipx install 'seclatch[metrics]'",
            status=2,
        )
