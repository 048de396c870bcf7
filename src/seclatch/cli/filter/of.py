"""`seclatch filter [of] PID|CONTAINER`: the filters of a live process."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from seclatch.cli.filter import live_output
from seclatch.cli.shared.complete_names import complete_pod, complete_target
from seclatch.cli.shared.filter_options import parse_arches
from seclatch.cli.shared.process_options import parse_one_pod
from seclatch.cli.shared.result_output import (
    emit_text,
    is_terminal,
    print_warnings,
    require_stdout,
    write_result,
)
from seclatch.errors import SeclatchError
from seclatch.model.arch import Arch
from seclatch.model.process import LiveProcess, LiveThread, SeccompMode
from seclatch.output.printable_text import make_printable
from seclatch.process.live_filters import LiveFilter, read_live_filters
from seclatch.process.process_snapshot import SnapshotRequest, take_snapshot
from seclatch.process.process_target import find_target, find_thread
from seclatch.profile.export.formats import FORMATS


@click.command(name="of", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("target", metavar="[PID|CONTAINER]", required=False, shell_complete=complete_target)
@click.option(
    "--pod",
    metavar="NAMESPACE/POD[/CONTAINER]",
    callback=parse_one_pod,
    shell_complete=complete_pod,
    help="In place of CONTAINER: this container of a pod of Kubernetes.",
)
@click.option("--thread", "tid", type=int, metavar="TID", help="This thread instead of the first.")
@click.option("--layer", type=int, metavar="N", help="Only the N-th filter; 1 is the oldest.")
@click.option(
    "--format", "form", type=click.Choice(FORMATS), help="As a profile, found from the program."
)
@click.option("--bpf", is_flag=True, help="The raw program, as the kernel holds it.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Write there."
)
@click.option("--test", "calls", multiple=True, metavar="CALL", help="What it answers to a call.")
@click.option(
    "--arch",
    multiple=True,
    callback=parse_arches,
    help="Whose call --test means: x86 asks about 32-bit programs.  [default: this machine's]",
)
@click.option(
    "--against",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="FILE",
    help="How it differs from the profile (or raw program) that was meant.",
)
@click.option(
    "--runtime",
    type=click.Choice(["runc", "crun"]),
    help="Who has compiled what was meant.  [default: either]",
)
@click.option("--ptrace", "stop", is_flag=True, help="Read by a short stop, not from the kernel.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, schema filter-live/1.")
def command(
    target: str | None,
    pod: str | None,
    tid: int | None,
    layer: int | None,
    form: str | None,
    bpf: bool,
    output: Path | None,
    calls: tuple[str, ...],
    arch: tuple[Arch, ...],
    against: Path | None,
    runtime: str | None,
    stop: bool,
    as_json: bool,
) -> int:
    """Show the filters that a live process, or the first process of a container, is under.

    Without options every filter is listed, the newest first, as the kernel runs them. The process
    is not stopped: its filters are read from the kernel. Where that cannot be (no BTF, Linux before
    5.8) it is stopped for a moment, in a way that leaves it as it was. Needs root.

    The exit status is 1 if it is under no filter, and with --against if the two differ.

    \b
    Examples:
      seclatch filter 1234
      seclatch filter web --format docker > web.json
      seclatch filter web --bpf -o web.bpf
      seclatch filter web --test 'openat(AT_FDCWD)' --test 'clone(CLONE_NEWUSER)'
      seclatch filter --pod default/shop/web
      seclatch filter web --against strict.json --runtime runc
    """
    if (target is None) == (pod is None):
        raise click.UsageError("give either PID|CONTAINER or --pod")
    _check(form, bpf, calls, arch, against, runtime, output, as_json)
    if output is None:
        require_stdout()
    process = _find(target or pod or "", tid)
    thread = find_thread(process, tid)
    filters = _read(process, thread, layer, stop)
    if not filters:
        _say_none(process, thread)
        return 1
    _warn_of_threads(process, thread)
    if calls:
        return live_output.print_answers(filters, calls, arch or (Arch.native(),), as_json)
    if against is not None:
        return live_output.print_comparison(process, filters, against, runtime, as_json)
    if as_json:
        write_result(live_output.make_document(process, thread, filters), output)
    else:
        _write(process, thread, filters, form, bpf, output)
    return 0


def _check(
    form: str | None,
    bpf: bool,
    calls: tuple[str, ...],
    arch: tuple[Arch, ...],
    against: Path | None,
    runtime: str | None,
    output: Path | None,
    as_json: bool,
) -> None:
    """Refuse options that would do nothing together."""
    if sum(map(bool, (form, bpf, calls, against))) > 1:
        raise click.UsageError("give only one of --format, --bpf, --test and --against")
    if arch and not calls:
        raise click.UsageError("--arch belongs to --test")
    if runtime and not against:
        raise click.UsageError("--runtime belongs to --against")
    if as_json and (form or bpf):
        raise click.UsageError("--json does not go with --format or --bpf")
    if output and (calls or against):
        raise click.UsageError("-o does not go with --test or --against")


def _write(
    process: LiveProcess,
    thread: LiveThread,
    filters: list[LiveFilter],
    form: str | None,
    bpf: bool,
    output: Path | None,
) -> None:
    if bpf:
        write_result(_only(filters, "--bpf").code, _binary(output))
    elif form:
        live_output.print_profiles(
            filters if output is None else [_only(filters, "-o")], form, output
        )
    else:
        emit_text(live_output.print_listing(process, thread, filters), output)


def _find(target: str, tid: int | None) -> LiveProcess:
    view = take_snapshot(SnapshotRequest(threads=True))
    process = find_target(target, view.processes)
    print_warnings("names and images", view.notes if process.container else ())
    return process


def _read(
    process: LiveProcess, thread: LiveThread, layer: int | None, stop: bool
) -> list[LiveFilter]:
    filters = read_live_filters(process, thread, stop=stop)
    if not filters or layer is None:
        return filters
    chosen = [one for one in filters if one.number == layer]
    if not chosen:
        raise SeclatchError(f"process {process.pid} has no filter {layer}", status=2)
    return chosen


def _say_none(process: LiveProcess, thread: LiveThread) -> None:
    name = make_printable(thread.comm)
    what = "is under no seccomp filter"
    if thread.mode == SeccompMode.STRICT:
        what = "is in seccomp's strict mode: read, write, _exit and sigreturn only, no filter"
    ended = "" if thread is process.main else f", thread {thread.tid},"
    click.echo(f"seclatch: process {process.pid} ({name}){ended} {what}", err=True)
    _warn_of_threads(process, thread)


def _warn_of_threads(process: LiveProcess, thread: LiveThread) -> None:
    others = [str(one.tid) for one in process.threads if one.differs(thread)]
    if others:
        listed = ", ".join(others[:8]) + (", …" if len(others) > 8 else "")
        click.echo(
            f"seclatch: threads of {process.pid} that are bound otherwise (--thread): {listed}",
            err=True,
        )


def _only(filters: list[LiveFilter], option: str) -> LiveFilter:
    if len(filters) > 1:
        raise click.UsageError(
            f"{option} takes one filter and this process has {len(filters)}: choose with --layer"
        )
    return filters[0]


def _binary(output: Path | None) -> Path | None:
    if output is None and is_terminal(sys.stdout):
        raise click.UsageError("the program is binary: give -o FILE or a pipe")
    return output
