"""`seclatch install`: register the latch as an engine's runtime `seclatch`."""

from __future__ import annotations

from pathlib import Path

import click

from seclatch.cli import enginecommand as common
from seclatch.engines.engine import MODES, Engine, Wish
from seclatch.engines.installer import make_engine, plan_install
from seclatch.engines.root import Root
from seclatch.runtime.latch import RUNTIMES


@click.command()
@common.ENGINE
@click.option(
    "--runtime",
    type=click.Choice(RUNTIMES),
    help="The runtime behind the latch.  [default: runc; for podman crun, if there is one]",
)
@click.option("--default", is_flag=True, help="Make it the engine's default runtime.")
@click.option(
    "--mode",
    type=click.Choice(MODES),
    default="suspend",
    show_default=True,
    help="plain: run the bare runtime unchanged, on hosts that can never suspend seccomp.",
)
@common.DRY_RUN
@common.ROOT
@common.AS_JSON
def command(
    engine: str, runtime: str | None, default: bool, mode: str, dry_run: bool, root: Path,
    as_json: bool,
) -> None:  # fmt: skip
    """Register the runtime `seclatch` with ENGINE by the engine's own configuration.

    The latch is copied to /usr/local/lib/seclatch/ENGINE. What was in the configuration stays;
    an option that is not given is not wished: after `install docker --default`, a plain
    `install docker` takes the default back. Running it twice changes nothing.

    \b
    Examples:
      seclatch install docker --dry-run
      seclatch install docker && docker run --runtime seclatch --security-opt seccomp=FILE …
      seclatch install podman --runtime crun --default
      seclatch install containerd --runtime runc
    """
    where = common.make_root(root)
    chosen = make_engine(engine, where)
    wish = Wish(engine, runtime or favourite(chosen, where), default, mode)
    common.execute(plan_install(chosen, where, wish), where, dry_run=dry_run, as_json=as_json)


def favourite(engine: Engine, root: Root) -> str:
    """Return the runtime that the engine itself would take, of those that are there."""
    present = [one for one in engine.runtimes if root.find_program(one)]
    return (present or list(engine.runtimes))[0]
