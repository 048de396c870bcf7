"""`seclatch kubernetes plugin`."""

from __future__ import annotations

from pathlib import Path

import click

from seclatch.cli.shared.profile_options import FILE
from seclatch.cli.shared.result_output import require_stdout, write_result

PLUGIN = "kubectl-seclatch"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-o", "--output", type=FILE, help="Write there instead of to standard output.")
def command(output: Path | None) -> None:
    """Print kubectl-seclatch, the plugin by which `kubectl seclatch` runs commands on nodes.

    A shell script for workstations that have kubectl and not seclatch: `kubectl seclatch explain
    POD`, `ps`, `filter`, `watch` and `record` find the pod's node, and run the command there, in
    the DaemonSet of `seclatch kubernetes manifest --inspect`. The right to use it is root on the
    nodes. It goes into PATH under the name kubectl-seclatch, executable.

    \b
    Examples:
      seclatch kubernetes plugin | sudo install -m 755 /dev/stdin /usr/local/bin/kubectl-seclatch
      kubectl seclatch explain -n shop web-7c9f
    """
    from seclatch.data import DATA

    if output is None:
        require_stdout()
    write_result((DATA / PLUGIN).read_text(), output)
    if output is not None and output.is_file():
        output.chmod(0o755)
