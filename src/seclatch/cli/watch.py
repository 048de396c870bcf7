"""`seclatch watch`: what filters deny on this host, while it happens."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TextIO, cast

import click

from seclatch.cli.shared.process_options import (
    container_option,
    no_engines_option,
    pid_option,
    pods_option,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from seclatch.model.pod import PodSelector
    from seclatch.watch.stop_signals import StopSignals
    from seclatch.watch.targets.log_target import LogTarget
    from seclatch.watch.targets.waiting_output import WaitingOutput


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@container_option
@pods_option
@click.option("--image", "images", multiple=True, metavar="PATTERN", help="Only this image (*, ?).")
@click.option(
    "--unit", "units", multiple=True, metavar="PATTERN", help="Only this systemd service (*, ?)."
)
@pid_option
@click.option("--json", "as_json", is_flag=True, help="JSON lines on standard output.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Append JSON lines to this file, too. SIGHUP opens it anew.",
)
@click.option(
    "--rotate-size",
    type=click.IntRange(min=1),
    default=64,
    show_default=True,
    metavar="MIB",
    help="At this size FILE becomes FILE.1.",
)
@click.option(
    "--rotate-keep",
    type=click.IntRange(min=0, max=1000),
    default=5,
    show_default=True,
    metavar="N",
    help="How many older files are kept.",
)
@click.option("--journal", is_flag=True, help="Also to systemd's journal.")
@click.option("--syslog", is_flag=True, help="Also to the system log.")
@click.option(
    "--metrics",
    metavar="[HOST:]PORT",
    help="Serve metrics for Prometheus; on 127.0.0.1 without a HOST.",
)
@click.option("-q", "--quiet", is_flag=True, help="Nothing on standard output.")
@click.option(
    "--profile",
    "profiles",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE",
    help="Name this profile, and its rules, where a filter was compiled from it.",
)
@no_engines_option
@click.option(
    "--way",
    type=click.Choice(["check", "calls", "denials"]),
    help="How denials are seen: at the end of the kernel's `check` (filtered calls pay), by the "
    "tracepoints of system `calls` (every process pays), by what seccomp logs and signals (only "
    "`denials` pay).  [default: check, or calls where the kernel does not permit it]",
)
@click.option(
    "--cheap",
    is_flag=True,
    help="Refuse what slows down others: --way denials. ERRNO is then seen only of profiles "
    "with the flag SECCOMP_FILTER_FLAG_LOG.",
)
@click.option(
    "--seconds", type=click.FloatRange(min=0.1), metavar="N", help="End after so many seconds."
)
def command(
    containers: tuple[str, ...],
    pods: tuple[PodSelector, ...],
    images: tuple[str, ...],
    units: tuple[str, ...],
    pids: tuple[int, ...],
    as_json: bool,
    output: Path | None,
    rotate_size: int,
    rotate_keep: int,
    journal: bool,
    syslog: bool,
    metrics: str | None,
    quiet: bool,
    profiles: tuple[Path, ...],
    no_engines: bool,
    way: str | None,
    cheap: bool,
    seconds: float | None,
) -> None:
    """Show system calls that seccomp filters deny, with container, program and rule.

    A filter that answers with an errno is silent: the kernel logs nothing. This command shows each
    denial of every container and process of the host, until ctrl-C. Equal ones are counted and not
    repeated. It takes root on the host (CAP_BPF, CAP_PERFMON); where the kernel takes no eBPF
    programs, audit lines are read, and a message says what they do not show. Without root, these
    are read where kernel.dmesg_restrict is 0.

    \b
    Examples:
      seclatch watch
      seclatch watch --container web --profile strict.json
      seclatch watch --pod default/shop
      seclatch watch --json | jq -r .syscall
      seclatch watch --quiet -o /var/log/seclatch.json --metrics 9475
      seclatch watch --image 'nginx*' --cheap --journal
    """
    from seclatch.cli.shared.result_output import require_stdout
    from seclatch.watch.denial_selection import DenialSelection
    from seclatch.watch.describe_denial import DenialDescriber
    from seclatch.watch.known_profiles import KnownProfiles
    from seclatch.watch.open_sources import open_sources
    from seclatch.watch.process_contexts import DeniedProcesses
    from seclatch.watch.sources.watch_programs import WatchWay
    from seclatch.watch.stop_signals import StopSignals
    from seclatch.watch.watch_session import WatchSession

    if cheap and way not in (None, "denials"):
        raise click.UsageError(f"--cheap refuses --way {way}: other processes would pay for it")
    if not quiet:
        require_stdout()
    chosen = WatchWay("denials") if cheap else WatchWay(way) if way else None
    describer = DenialDescriber(DeniedProcesses(names=not no_engines), KnownProfiles(profiles))
    stop = StopSignals(reopens=output is not None)
    targets: list[LogTarget] = [] if quiet else [_open_stdout(as_json, stop)]
    targets += _open_targets(output, (rotate_size << 20, rotate_keep), journal, syslog, metrics)
    sources = open_sources(chosen)
    report = _make_report(stop)
    for text in sources.misses:
        report(text)
    selection = DenialSelection(pids, containers, images, units, pods)
    session = WatchSession(sources, describer, selection, targets, report)
    try:
        session.run(stop, seconds)
    finally:
        sources.close()
        stop.close()


def _open_targets(
    output: Path | None,
    rotation: tuple[int, int],
    journal: bool,
    syslog: bool,
    metrics: str | None,
) -> list[LogTarget]:
    """Open what was asked for. Raise SeclatchError."""
    targets: list[LogTarget] = []
    if output is not None:
        from seclatch.watch.targets.log_file import LogFile

        targets.append(LogFile(output, size=rotation[0], keep=rotation[1]))
    if journal:
        from seclatch.watch.targets.journal import Journal

        targets.append(Journal())
    if syslog:
        from seclatch.watch.targets.system_log import SystemLog

        targets.append(SystemLog())
    if metrics is not None:
        from seclatch.watch.targets.metrics import Metrics

        targets.append(Metrics(metrics))
    return targets


def _open_stdout(as_json: bool, stop: StopSignals) -> LogTarget:
    from seclatch.watch.targets.json_lines import JsonLines
    from seclatch.watch.targets.terminal_lines import TerminalLines
    from seclatch.watch.targets.waiting_output import WaitingOutput

    output = WaitingOutput(sys.stdout.fileno(), stop)
    return JsonLines(output) if as_json else TerminalLines(_make_text(output, sys.stdout))


def _make_report(stop: StopSignals) -> Callable[[str], None]:
    """Return what writes a message to standard error, if that is open."""
    from seclatch.output.printable_text import clip_printable
    from seclatch.watch.targets.waiting_output import WaitingOutput

    if sys.stderr is None:
        return lambda _: None
    stream = _make_text(WaitingOutput(sys.stderr.fileno(), stop), sys.stderr)
    return lambda text: print(f"seclatch: {clip_printable(text)}", file=stream)


def _make_text(output: WaitingOutput, like: TextIO) -> TextIO:
    return io.TextIOWrapper(
        cast("BinaryIO", output), like.encoding, "backslashreplace", write_through=True
    )
