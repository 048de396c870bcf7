"""`seclatch explain`: why a command fails, and whether seccomp has anything to do with it."""

from __future__ import annotations

import contextlib
import math
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, cast

import click

from seclatch.cli.shared.command_words import CommandWords
from seclatch.cli.shared.complete_names import complete_pod
from seclatch.cli.shared.fast_exit import exit_fast
from seclatch.cli.shared.print_error import print_error
from seclatch.cli.shared.process_options import parse_one_pod
from seclatch.cli.shared.result_output import require_stdout
from seclatch.errors import SeclatchError
from seclatch.output.printable_text import make_printable

if TYPE_CHECKING:
    from seclatch.diagnose.write_explanation import OutputForm
    from seclatch.model.explanation import Explanation
    from seclatch.model.recording import Recording


@click.command(
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
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    metavar="N",
    help="Watch no longer than that; the command goes on.",
)
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
@click.argument("args", nargs=-1, type=CommandWords(), metavar="[CMD [ARG]...]")
def command(
    verbose: bool,
    as_json: bool,
    output: Path | None,
    recording: Path | None,
    fix: Path | None,
    seconds: float | None,
    profile: Path | None,
    runtime: str,
    no_new_privs: bool,
    pod: str | None,
    args: tuple[str, ...],
) -> None:
    """Run CMD as it is and say why it failed.

    Put it before the command that fails: docker run, podman run, ctr run, runc, crun, seclatch run,
    or any program. It is watched from the engine to the container's program; at the end stderr says
    whether seccomp was the cause, which call was denied to whom and by which rule, all else that
    the runtime needs and the profile denies, and what to do. Input, output and exit status are
    CMD's own. It takes root.

    Without CMD, --profile FILE is tried in a throwaway container: what it does to the runtime and
    to a minimal program. The exit status is then 0 if that starts, else 1.

    --pod, on the pod's node, likewise tries the profile that containerd has for the container, with
    its runtime, no_new_privs and user: why a pod is in StartError, RunContainerError or
    CrashLoopBackOff.

    \b
    Examples:
      seclatch explain --pod default/shop/web
      seclatch explain -- docker run --security-opt seccomp=strict.json IMAGE
      seclatch explain --json -o why.json -- podman run IMAGE CMD
      seclatch explain --recording start.json -- docker run IMAGE && seclatch report start.json
      seclatch explain --profile strict.json --runtime crun --no-new-privs
      seclatch explain --fix fixed.json -- docker run --security-opt seccomp=strict.json IMAGE
    """
    _refuse_contradictions(args, profile, pod, (output, recording, fix), seconds)
    if verbose and as_json:
        raise click.UsageError("--verbose is of no use with --json, which has all")
    from seclatch.diagnose import explain_command, write_explanation

    form = write_explanation.choose_form(verbose=verbose, as_json=as_json)
    for file in (output, recording, fix):
        if file:
            write_explanation.require_writable(file)
    if pod or profile:
        tried = (
            _try_pod(pod)
            if pod
            else explain_command.try_profile(
                cast("Path", profile), runtime, no_new_privs=no_new_privs
            )
        )
        exit_fast(_print_trial(tried, output, form, recording, fix))
    status, explanation, kept = explain_command.explain_command(
        args, seconds, _tell, query_images=bool(recording)
    )
    # Where nobody can be told the status is the command's all the same.
    with contextlib.suppress(OSError), _complaining():
        _write(explanation, output, form, sys.stderr)
    with _complaining():
        _write_fix(explanation, fix)
    with _complaining():
        _keep(kept, recording)
    exit_fast(status)


def _print_trial(
    tried: tuple[Explanation, Recording | None],
    output: Path | None,
    form: OutputForm,
    recording: Path | None,
    fix: Path | None,
) -> int:
    """Write the explanation of a trial; return 0 if the container starts, else 1."""
    explanation, kept = tried
    if output is None:
        require_stdout()
    if kept:
        _keep(kept, recording)
    _write(explanation, output, form, sys.stdout)
    with _complaining():
        _write_fix(explanation, fix)
    return 0 if explanation.cause == "none" else 1


def _try_pod(pod: str) -> tuple[Explanation, Recording | None]:
    """Try the profile of a pod's container. Raise SeclatchError."""
    from seclatch.diagnose.explain_pod import PodStart, explain_pod
    from seclatch.model.pod import parse_pod
    from seclatch.process.pod_containers import find_pod_container, find_profile_file

    found = find_pod_container(parse_pod(pod))
    return explain_pod(
        PodStart(
            str(found.names),
            found.runtime,
            found.latched,
            found.seccomp,
            found.no_new_privileges,
            found.user,
            find_profile_file(found),
            found.pid,
        )
    )


def _refuse_contradictions(
    args: tuple[str, ...],
    profile: Path | None,
    pod: str | None,
    files: tuple[Path | None, ...],
    seconds: float | None,
) -> None:
    """Raise click.UsageError for what cannot be meant, before anything runs."""
    if sum(map(bool, (args, profile, pod))) != 1:
        raise click.UsageError("give either a command or --profile FILE or --pod")
    of_command = {"seconds": "--seconds"}
    of_profile = {"runtime": "--runtime", "no_new_privs": "--no-new-privs"}
    idle = {} if args else of_command
    idle = idle if profile else idle | of_profile
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
