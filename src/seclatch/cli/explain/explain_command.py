"""The command line of `seclatch explain`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from seclatch.cli.explain import check_options
from seclatch.cli.explain.write_answer import AnswerWriter, print_note
from seclatch.cli.shared.command_words import CommandWords
from seclatch.cli.shared.complete_names import complete_pod, complete_target
from seclatch.cli.shared.optional_value import join_value
from seclatch.cli.shared.process_options import parse_one_pod
from seclatch.cli.shared.result_output import require_stdout

if TYPE_CHECKING:
    from seclatch.diagnose.explain_command import ConfirmMode
    from seclatch.model.explanation import Explanation
    from seclatch.model.recording.recording import Recording


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
    subjects = {
        "--profile FILE": profile,
        "--pod": pod,
        "--container NAME": container,
        "--next": waits,
    }
    check_options.require_one_subject(args, subjects)
    check_options.require_a_number(seconds)
    check_options.require_distinct_files((output, recording, fix))
    check_options.refuse_idle_options(
        args, name=name, waits=waits, verbose=verbose, as_json=as_json, log=log, pod=pod
    )
    from seclatch.diagnose import explain_command, write_explanation

    form = write_explanation.choose_form(verbose=verbose, as_json=as_json)
    for file in (output, recording, fix):
        if file:
            write_explanation.require_writable(file)
    answer = AnswerWriter(output, recording, fix, form)
    if args:
        status, explanation, kept = explain_command.explain_command(
            args, seconds, print_note, query_images=bool(recording), confirm=confirm
        )
        answer.finish_command(status, explanation, kept)
    if output is None:
        require_stdout()
    if profile:
        answer.finish_other(
            *explain_command.try_profile(profile, runtime, no_new_privs=no_new_privs)
        )
    answer.finish_other(*_explain_other_start(pod, log, container, name, seconds))


def _explain_other_start(
    pod: str | None, log: Path | None, container: str | None, name: str, seconds: float | None
) -> tuple[Explanation | None, Recording | None]:
    """Explain what something else starts: a pod's or a running container, or the next to fail."""
    if pod:
        from seclatch.cli.explain.explain_pods import explain_pod_start

        return explain_pod_start(pod, log)
    from seclatch.cli.explain import explain_running

    if container is None:
        return explain_running.explain_next_failure(name, seconds)
    return explain_running.explain_running_container(container, seconds)
