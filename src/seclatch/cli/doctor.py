"""`seclatch doctor`: whether this host can latch, found out by doing it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import click

from seclatch.cli.shared.result_output import require_stdout
from seclatch.host.host_check import CheckState, HostCheck, is_healthy
from seclatch.output.printable_text import make_printable

# The version of the --json document; it changes when a key changes its meaning or goes.
_SCHEMA = 1

_MARKS = {
    CheckState.OK: ("ok", "green"),
    CheckState.NOTE: ("note", "yellow"),
    CheckState.FAIL: ("FAIL", "red"),
}


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of lines.")
def command(as_json: bool) -> None:
    """Check this host: kernel, cgroups, runtimes, engines, and a real container under the latch.

    Starts one short container with each runtime, and one through each engine that has the latch;
    nothing of it stays (docker imports an image for it, and removes it). Exit status 0 when a
    profile can be latched here, 1 when not. `note` marks missing optional parts.

    \b
    Examples:
      sudo seclatch doctor
      seclatch doctor --json | jq '.checks[] | select(.state != "ok")'
    """
    require_stdout()
    checks = []
    for check in run_checks():
        checks.append(check)
        if not as_json:
            show_check(check)
    if as_json:
        document = {
            "schema": _SCHEMA,
            "healthy": is_healthy(checks),
            "checks": [asdict(check) for check in checks],
        }
        click.echo(json.dumps(document, indent=2))
    sys.exit(0 if is_healthy(checks) else 1)


def run_checks() -> Iterator[HostCheck]:
    """Do all checks, one after the other, the slow ones last."""
    from seclatch.engines.installation.host_root import HostRoot
    from seclatch.host import cgroup_mounts, installed_engines, kernel_support, runtime_support

    yield kernel_support.check_seccomp()
    yield from kernel_support.check_latch_methods()
    yield kernel_support.check_modules()
    yield cgroup_mounts.check_cgroups()
    yield from installed_engines.check_engines(HostRoot(Path("/")))
    yield from runtime_support.check_runtimes()


def show_check(check: HostCheck) -> None:
    """Print one check as soon as it is done: containers take a moment to start."""
    mark, colour = _MARKS[check.state]
    click.echo(
        f"{click.style(f'{mark:<4}', fg=colour)}  {check.name}: {make_printable(check.found)}"
    )
    if check.remedy and check.state is not CheckState.OK:
        click.echo(f"      what to do: {make_printable(check.remedy)}")
