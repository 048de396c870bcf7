"""`seclatch explain`: why a command fails, and whether seccomp has anything to do with it."""

from __future__ import annotations

import contextlib
import math
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Never, TextIO

import click

from seclatch.cli.shared.command_words import CommandWords
from seclatch.cli.shared.complete_names import complete_pod, complete_target
from seclatch.cli.shared.fast_exit import exit_fast
from seclatch.cli.shared.optional_value import join_value
from seclatch.cli.shared.print_error import print_error
from seclatch.cli.shared.process_options import parse_one_pod
from seclatch.cli.shared.result_output import require_stdout
from seclatch.errors import SeclatchError
from seclatch.output.printable_text import make_printable

if TYPE_CHECKING:
    from seclatch.diagnose.evidence.run_evidence import RunningContainer
    from seclatch.diagnose.explain_command import ConfirmMode
    from seclatch.diagnose.write_explanation import OutputForm
    from seclatch.model.explanation import Explanation
    from seclatch.model.recording.recording import Recording
    from seclatch.recording.record_container import ContainerTarget


class ExplainCommand(click.Command):
    """A command with --confirm, which takes a mode or stands alone."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse; --confirm alone is --confirm=always, whatever follows it."""
        return super().parse_args(ctx, list(join_value(self, args, "--confirm", "always")))


@click.command(
    cls=ExplainCommand,
    context_settings={"help_option_names": ["-h", "--help"], "allow_interspersed_args": False},
    options_metavar="[OPTIONS] [--]",
)
@click.option("-v", "--verbose", is_flag=True, help="Show all denied calls, facts and remedies.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, schema explain-1.")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where the explanation goes.  [default: standard error]",
)
@click.option(
    "--recording",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Keep what was recorded for it, for `seclatch report` and `show`.",
)
@click.option(
    "--fix",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the profile, changed so that the denied call is allowed.",
)
@click.option(
    "--confirm",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    help="Run CMD up to six more times, with denied calls allowed, and compare: where that leaves "
    "nothing and reaches nothing, wherever it is possible (also --confirm alone), or never.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    metavar="N",
    help="Watch no longer than that; the command goes on.",
)
@click.option(
    "--container",
    metavar="NAME|ID|PID",
    shell_complete=complete_target,
    help="In place of CMD: a running container, from now until it ends.",
)
@click.option(
    "--next",
    "waits",
    is_flag=True,
    help="In place of CMD: wait for the next container on this host that fails.",
)
@click.option("--name", metavar="NAME", default="", help="With --next: only this name or id.")
@click.option(
    "--profile",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Without CMD: try this profile.",
)
@click.option(
    "--runtime",
    type=click.Choice(["runc", "crun"]),
    default="runc",
    show_default=True,
    help="Without CMD: with this runtime.",
)
@click.option("--no-new-privs", is_flag=True, help="Without CMD: with no_new_privs.")
@click.option(
    "--pod",
    metavar="NAMESPACE/POD[/CONTAINER]",
    callback=parse_one_pod,
    shell_complete=complete_pod,
    help="In place of CMD: try the profile of this container of a pod, started or not.",
)
@click.option(
    "--log",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="With --pod: containerd's or the kubelet's log, where it is not in the journal.",
)
@click.argument("args", nargs=-1, type=CommandWords(), metavar="[CMD [ARG]...]")
def command(
    verbose: bool,
    as_json: bool,
    output: Path | None,
    recording: Path | None,
    fix: Path | None,
    confirm: ConfirmMode,
    seconds: float | None,
    container: str | None,
    waits: bool,
    name: str,
    profile: Path | None,
    runtime: str,
    no_new_privs: bool,
    pod: str | None,
    log: Path | None,
    args: tuple[str, ...],
) -> None:
    """Run CMD as it is and say why it failed.

    Put it before the command that fails: docker run, podman run, ctr run, runc, crun, seclatch run,
    or any program. It is watched from the engine to the container's program; at the end stderr says
    whether seccomp was the cause, which call was denied to whom and by which rule, all else that
    the runtime needs and the profile denies, and what to do. Input, output and exit status are
    CMD's own. It takes root.

    Without CMD, --profile FILE is tried in a throwaway container: what it does to the runtime and
    to a minimal program. --container follows one that runs; --next waits for one that something
    else starts (compose, the kubelet) and that fails. Ctrl-C ends both, and the container goes on.
    The exit status is then 0 if nothing failed, else 1.

    --pod, on the pod's node, likewise tries the profile that containerd has for the container, with
    its runtime, no_new_privs and user: why a pod is in StartError, RunContainerError or
    CrashLoopBackOff. Of a container that was not created (CreateContainerError, a pod that stays in
    ContainerCreating) it reads what containerd or the kubelet logged.

    Where calls were denied to the program, one run does not show whether that was the reason. So
    CMD is run again, with the denied calls allowed, in containers of their own that are removed,
    and the answer says what they showed. By itself explain does so where those runs leave nothing
    behind and reach nothing: no volume or directory of the host that can be written, no device, no
    namespace of the host, no hook, and no network (those of an engine get none). --confirm does it
    wherever it is possible: CMD then does again what it does outside of its container. It works for
    docker, podman, nerdctl, ctr, runc, crun and seclatch run, and seclatch apply; --verbose says
    why CMD was not run again.

    \b
    Examples:
      seclatch explain --pod default/shop/web
      seclatch explain -- docker run --security-opt seccomp=strict.json IMAGE
      seclatch explain --json -o why.json -- podman run IMAGE CMD
      seclatch explain --recording start.json -- docker run IMAGE && seclatch report start.json
      seclatch explain --profile strict.json --runtime crun --no-new-privs
      seclatch explain --fix fixed.json -- docker run --security-opt seccomp=strict.json IMAGE
      seclatch explain --confirm -- docker run -v data:/data IMAGE
      seclatch explain --confirm never -- runc run -b bundle web
      seclatch explain --container web --seconds 60
      seclatch explain --next --name project-db-1
    """
    ways = {
        "--profile FILE": profile,
        "--pod": pod,
        "--container NAME": container,
        "--next": waits,
    }
    _refuse_contradictions(args, ways, (output, recording, fix), seconds)
    _refuse_idle(name=name, waits=waits, verbose=verbose, as_json=as_json)
    if log and not pod:
        raise click.UsageError("--log is of no use without --pod")
    given = click.get_current_context().get_parameter_source("confirm")
    if given is click.core.ParameterSource.COMMANDLINE and not args:
        raise click.UsageError("--confirm is of no use without a command")
    from seclatch.diagnose import explain_command, write_explanation

    form = write_explanation.choose_form(verbose=verbose, as_json=as_json)
    for file in (output, recording, fix):
        if file:
            write_explanation.require_writable(file)
    if not args:
        if output is None:
            require_stdout()
        found, kept = (
            explain_command.try_profile(profile, runtime, no_new_privs=no_new_privs)
            if profile
            else _explain_others(pod, log, container, name, seconds)
        )
        _finish(found, kept, (output, recording, fix), form)
    status, explanation, kept = explain_command.explain_command(
        args, seconds, _tell, query_images=bool(recording), confirm=confirm
    )
    # Where nobody can be told the status is the command's all the same.
    with contextlib.suppress(OSError), _complaining():
        _write(explanation, output, form, sys.stderr)
    with _complaining():
        _write_fix(explanation, fix)
    with _complaining():
        _keep(kept, recording)
    exit_fast(status)


def _refuse_idle(*, name: str, waits: bool, verbose: bool, as_json: bool) -> None:
    if name and not waits:
        raise click.UsageError("--name is of no use without --next")
    if verbose and as_json:
        raise click.UsageError("--verbose is of no use with --json, which has all")


def _finish(
    found: Explanation | None,
    kept: Recording | None,
    files: tuple[Path | None, Path | None, Path | None],
    form: OutputForm,
) -> Never:
    """Write what was found of something that no command here has started; end with 1 for it."""
    output, recording, fix = files
    if kept:
        _keep(kept, recording)
    if found is None:
        _tell("no container failed")
        exit_fast(0)
    _write(found, output, form, sys.stdout)
    with _complaining():
        _write_fix(found, fix)
    exit_fast(0 if found.cause == "none" else 1)


def _explain_others(
    pod: str | None,
    log: Path | None,
    container: str | None,
    name: str,
    seconds: float | None,
) -> tuple[Explanation | None, Recording | None]:
    """Explain what something else starts: a pod's or a running container, or the next to fail."""
    if pod:
        from seclatch.cli.explain.explain_pods import explain_pod_start

        return explain_pod_start(pod, log)
    from seclatch.diagnose import explain_container
    from seclatch.process.running_bundle import find_names

    if container is None:
        return explain_container.explain_next(name, find_names, seconds, _tell)
    target, running = _find_running(container)
    return explain_container.explain_container(target, running, seconds, _tell)


def _find_running(word: str) -> tuple[ContainerTarget, RunningContainer]:
    """Return the running container of this name, with its runtime and its configuration."""
    from seclatch.diagnose.evidence.container_bundles import BundleContainer
    from seclatch.diagnose.evidence.run_evidence import RunningContainer
    from seclatch.process.process_snapshot import SnapshotRequest, take_snapshot
    from seclatch.process.process_target import find_target
    from seclatch.process.running_bundle import find_running_bundle
    from seclatch.recording.record_container import ContainerTarget

    found = find_target(word, take_snapshot(SnapshotRequest(filters=False)).processes)
    bundle = find_running_bundle(found.pid)
    identifier = bundle.identifier or (found.container.id if found.container else "")
    source = f"config.json of {bundle.name or word}"
    configuration = BundleContainer(source, bundle.seccomp, found.main.no_new_privs)
    target = ContainerTarget(found.pid, word, identifier)
    return target, RunningContainer(bundle.runtime, configuration)


def _refuse_contradictions(
    args: tuple[str, ...],
    ways: Mapping[str, object],
    files: tuple[Path | None, ...],
    seconds: float | None,
) -> None:
    """Raise click.UsageError for what cannot be meant, before anything runs."""
    given = [option for option, value in ways.items() if value not in (None, False)]
    if bool(args) + len(given) != 1:
        raise click.UsageError(f"give one of: a command, {', '.join(ways)}")
    of_profile = {"runtime": "--runtime", "no_new_privs": "--no-new-privs"}
    idle = {"seconds": "--seconds"} if {"--profile FILE", "--pod"} & set(given) else {}
    idle = idle if "--profile FILE" in given else idle | of_profile
    context = click.get_current_context()
    for name, option in idle.items():
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            without = "a command" if name == "seconds" else "--profile FILE"
            raise click.UsageError(f"{option} is of no use without {without}")
    if seconds is not None and math.isnan(seconds):
        raise click.UsageError("--seconds: not a number")
    # Not by Path.resolve, which raises for a link to itself.
    places = [os.path.realpath(each) for each in files if each]
    for file, place in zip([each for each in files if each], places, strict=True):
        if places.count(place) > 1 and place != os.devnull:
            raise click.UsageError(
                f"{file} can hold one of explanation, recording, profile: not both"
            )


@contextlib.contextmanager
def _complaining() -> Iterator[None]:
    """Where a file cannot be written, say so: the status is the command's all the same."""
    try:
        yield
    except SeclatchError as error:
        print_error(error)


def _keep(kept: Recording, file: Path | None) -> None:
    if file:
        from seclatch.recording.files import recording_file

        recording_file.write_recording(file, kept)


def _write_fix(explanation: Explanation, file: Path | None) -> None:
    if file:
        from seclatch.diagnose.write_explanation import write_fix

        _tell(f"{file} has the changed profile: {write_fix(file, explanation)}")


def _tell(sentence: str) -> None:
    click.echo(f"seclatch: {make_printable(sentence)}", err=True)


def _write(
    explanation: Explanation, output: Path | None, form: OutputForm, stream: TextIO | None
) -> None:
    """Write it to the file, or to the stream (None if that was closed from the start)."""
    from seclatch.diagnose.write_explanation import render_explanation, write_explanation

    if output:
        content = render_explanation(explanation, form, terminal=False)
        write_explanation(output, content)
    elif stream is not None:
        content = render_explanation(
            explanation, form, terminal=stream.isatty(), encoding=stream.encoding
        )
        stream.flush()
        stream.buffer.write(content)
        stream.flush()
