"""`seclatch install`: register the latch as an engine's runtime `seclatch`."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import click

from seclatch.cli.shared import engine_command as common
from seclatch.cli.shared.lazy_group import OpenCommand
from seclatch.engines.installation.engine import MODES, ContainerEngine, LatchRegistration
from seclatch.engines.installation.host_root import HostRoot
from seclatch.engines.installer import make_engine, plan_install
from seclatch.engines.services.annotation_supervisor import PROFILES
from seclatch.model.recorder_limits import DIRECTORY, RecorderLimits
from seclatch.runtime.find_latch import RUNTIMES

COMMANDS = {"watch": "Keep `seclatch watch` running as a service of systemd."}


@click.command(
    cls=OpenCommand,
    commands_of=COMMANDS,
    package="seclatch.cli.install_service",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@common.ENGINE
@click.option(
    "--runtime",
    type=click.Choice(RUNTIMES),
    help="The runtime behind the latch.  [default: runc; for podman crun, if there is one]",
)
@click.option("--default", is_flag=True, help="Make it the engine's default runtime.")
@click.option(
    "--latch",
    "--mode",
    "mode",
    type=click.Choice(MODES),
    default="auto",
    show_default=True,
    help="How the profile is kept off the runtime: `suspend` it (takes root), or by the `gate` "
    "(rootless); `auto`: the first that is permitted; `refuse`: only what leaves the program the "
    "exact profile; `plain`: not at all, the bare runtime.",
)
@click.option(
    "--record-annotations",
    is_flag=True,
    help="Record containers that have the annotation seclatch.record=NAME.",
)
@click.option(
    "--record-dir",
    type=click.Path(path_type=PurePosixPath),
    default=PurePosixPath(DIRECTORY),
    show_default=True,
    help="Where those recordings go; a directory of root's alone.",
)
@click.option(
    "--record-limit",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    metavar="N",
    help="How many recordings may be there; more are not begun.",
)
@click.option(
    "--record-size",
    type=click.IntRange(min=1),
    default=1024,
    show_default=True,
    metavar="MIB",
    help="How large they may be together.",
)
@click.option(
    "--record-at-once",
    type=click.IntRange(min=1, max=1024),
    default=256,
    show_default=True,
    metavar="N",
    help="How many containers may be recorded at the same time.",
)
@click.option(
    "--tighten-annotations",
    is_flag=True,
    help="Tighten containers that have the annotation seclatch.running=NAME, once they are ready.",
)
@click.option(
    "--running-profiles",
    type=click.Path(path_type=PurePosixPath),
    default=PurePosixPath(PROFILES),
    show_default=True,
    help="Where the profiles for that are, as NAME.json; only root may write there.",
)
@common.DRY_RUN
@common.ROOT
@common.AS_JSON
def command(
    engine: str,
    runtime: str | None,
    default: bool,
    mode: str,
    record_annotations: bool,
    record_dir: PurePosixPath,
    record_limit: int,
    record_size: int,
    record_at_once: int,
    tighten_annotations: bool,
    running_profiles: PurePosixPath,
    dry_run: bool,
    root: Path,
    as_json: bool,
) -> None:
    """Register the runtime `seclatch` with ENGINE by the engine's own configuration.

    The latch is copied to /usr/local/lib/seclatch/ENGINE. What was in the configuration stays;
    an option that is not given is not wished: after `install docker --default`, a plain
    `install docker` takes the default back. Running it twice changes nothing. containerd is asked
    (`containerd config dump`) whether it reads the handler; if not, all is undone.

    \b
    Examples:
      seclatch install docker --dry-run
      seclatch install docker && docker run --runtime seclatch --security-opt seccomp=FILE …
      seclatch install podman --runtime crun --default
      seclatch install containerd --runtime runc && systemctl restart containerd
      seclatch install crio --dry-run
      seclatch install k3s && systemctl restart k3s
      seclatch install docker --record-annotations --record-limit 200
      docker run --runtime seclatch --annotation seclatch.record=web …
      seclatch install docker --tighten-annotations
      docker run --runtime seclatch --annotation seclatch.running=web \\
        --annotation seclatch.ready=listen:80 …
    """
    where = common.make_root(root)
    chosen = make_engine(engine, where)
    if not record_dir.is_absolute():
        raise click.BadParameter("is not an absolute path", param_hint="--record-dir")
    if not running_profiles.is_absolute():
        raise click.BadParameter("is not an absolute path", param_hint="--running-profiles")
    limits = RecorderLimits(
        directory=str(record_dir),
        recordings=record_limit,
        size=record_size << 20,
        at_once=record_at_once,
    )
    recorder = limits if record_annotations else None
    profiles = str(running_profiles) if tighten_annotations else ""
    wish = LatchRegistration(
        engine, runtime or choose_runtime(chosen, where), default, mode, recorder, profiles
    )
    common.execute_plan(plan_install(chosen, where, wish), where, dry_run=dry_run, as_json=as_json)


def choose_runtime(engine: ContainerEngine, root: HostRoot) -> str:
    """Return the runtime that the engine itself would take, of those that are there."""
    present = [one for one in engine.runtimes if root.find_program(one)]
    return (present or list(engine.runtimes))[0]
