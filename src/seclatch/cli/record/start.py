"""`seclatch record`: which system calls a command makes, stage by stage."""

from __future__ import annotations

import math
from pathlib import Path

import click

from seclatch.cli.record.plain_arguments import COMMANDS
from seclatch.cli.record.record_to_file import RecordArguments, record_to_file
from seclatch.cli.shared.command_words import CommandWords
from seclatch.cli.shared.complete_names import complete_pod, complete_target
from seclatch.cli.shared.lazy_group import OpenCommand
from seclatch.cli.shared.process_options import parse_one_pod


@click.command(
    cls=OpenCommand,
    commands_of=COMMANDS,
    package="seclatch.cli.record",
    context_settings={"help_option_names": ["-h", "--help"], "allow_interspersed_args": False},
    options_metavar="[OPTIONS] [--]",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where to write; compressed if it ends in .gz.  [default: COMMAND.recording.json here]",
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    metavar="N",
    help="Record no longer than that; the command goes on.",
)
@click.option(
    "--container",
    metavar="NAME|ID|PID",
    shell_complete=complete_target,
    help="In place of CMD: record a running container, with all that is executed in it later.",
)
@click.option(
    "--pod",
    metavar="NAMESPACE/POD[/CONTAINER]",
    callback=parse_one_pod,
    shell_complete=complete_pod,
    help="Likewise: record this container of a pod of Kubernetes that runs here.",
)
@click.option("--follow", is_flag=True, help="Tell of each call when a stage first makes it.")
@click.option(
    "--backend",
    type=click.Choice(["auto", "ebpf", "ptrace"]),
    default="auto",
    show_default=True,
    help="How to watch; ptrace needs no privilege, is slow and sees CMD's own descendants only.",
)
@click.option(
    "--ready",
    "condition",
    metavar="CONDITION",
    help="When the program is ready: calls made later are counted as its running phase. "
    "listen[:PORT], accept, healthy, notify, log:REGEX, a time (30s), or a command that succeeds.",
)
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
@click.argument("args", nargs=-1, type=CommandWords(), metavar="CMD [ARG]...")
def command(
    output: Path | None,
    seconds: float | None,
    container: str | None,
    pod: str | None,
    follow: bool,
    backend: str,
    condition: str | None,
    quiet: bool,
    args: tuple[str, ...],
) -> None:
    """Run CMD and record the system calls that it and all its descendants make.

    Calls are counted in the kernel, for each process and each stage of a container's start: the
    runtime, its init before and after the filter is loaded, the program. Denied calls are recorded
    with their errno. Nothing of other processes is recorded. The exit status is CMD's own.

    The recording ends when the last process that came from CMD has ended; with ctrl-C once CMD
    itself has. That of a container ends with its last process, with ctrl-C at any time. Needs
    CAP_BPF and CAP_PERFMON (root).

    A program that is called as a command below is called is recorded with -- in front.

    \b
    Examples:
      seclatch record -- runc run -b bundle name
      seclatch record -o nginx.recording.json.gz -- seclatch run --rootfs DIR -- nginx
      seclatch record --container web --seconds 60 -o web.recording.json.gz
      seclatch record --ready listen:6379 -o redis.recording.json -- docker run redis
      seclatch record --pod default/shop/web --seconds 60 -o web.recording.json.gz
      seclatch show nginx.recording.json.gz
      seclatch generate nginx.recording.json.gz > nginx.json
    """
    if pod is not None and container is not None:
        raise click.UsageError("give either --container or --pod.")
    container = pod or container
    _refuse_misuse(args, container, seconds, backend)
    record_to_file(
        RecordArguments(output, seconds, container, follow, backend, condition, quiet, args)
    )


def _refuse_misuse(
    args: tuple[str, ...], container: str | None, seconds: float | None, backend: str
) -> None:
    if bool(args) == (container is not None):
        raise click.UsageError("give either a command or --container or --pod.")
    if seconds is not None and math.isnan(seconds):
        raise click.UsageError("--seconds: not a number.")
    if container is not None and backend == "ptrace":
        raise click.UsageError("--container takes eBPF: ptrace sees own children only.")
