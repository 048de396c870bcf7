"""`seclatch record`: which system calls a command makes, stage by stage."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from seclatch.cli.record import progress_messages
from seclatch.cli.shared.command_words import CommandWords
from seclatch.cli.shared.complete_names import complete_pod, complete_target
from seclatch.cli.shared.fast_exit import exit_fast
from seclatch.cli.shared.lazy_group import OpenCommand
from seclatch.cli.shared.process_options import parse_one_pod
from seclatch.cli.shared.result_output import is_terminal
from seclatch.errors import SeclatchError

if TYPE_CHECKING:
    from seclatch.model.pod import PodContainer
    from seclatch.model.recording import Recording
    from seclatch.recording.ready.ready_condition import ReadyCondition
    from seclatch.recording.recorder import RecordOptions

_Record = Callable[["RecordOptions"], tuple[int, "Recording"]]


COMMANDS = {
    "merge": "Merge recordings, by image.",
    "push": "Share the counts of this node's recordings by a registry.",
    "pull": "Fetch and merge the counts that all nodes pushed.",
    "flush": "Have a container's recorder write what it has so far.",
    "mark": "Say that the recorded program is ready now.",
}


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
    from seclatch.output.result_file import is_stream
    from seclatch.recording import recorder
    from seclatch.recording.files import destination

    if pod is not None and container is not None:
        raise click.UsageError("give either --container or --pod.")
    container = pod or container
    _refuse_misuse(args, container, seconds, backend)
    record = _of_container(container) if container is not None else _of_command(args)
    path = output or _free_name(container or args[0])
    destination.require_writable(path)
    # A command's own output is on the same terminal: nothing is written over it.
    shown = container is not None and not follow and not quiet and is_terminal(sys.stderr)
    options = recorder.RecordOptions(
        seconds,
        observe := progress_messages.make_observer(follow=follow, shown=shown),
        every=1.0 if shown else 0.25,
        # so that it survives the recorder as far as it got; a stream takes one recording only
        save=None if is_stream(path) else _saver(path),
        notify=lambda sentence: None if quiet else progress_messages.print_sentences([sentence]),
        backend=backend,
        ready=_parse_ready(condition),
        find_pod=_find_pod,
    )
    status, recording = record(options)
    _write(path, recording)
    if shown:
        progress_messages.echo_error("\r\033[K", nl=False)
    if follow and observe:
        observe(recording)
    if not quiet:
        progress_messages.describe_recording(recording, path)
    exit_fast(status)


def _refuse_misuse(
    args: tuple[str, ...], container: str | None, seconds: float | None, backend: str
) -> None:
    if bool(args) == (container is not None):
        raise click.UsageError("give either a command or --container or --pod.")
    if seconds is not None and math.isnan(seconds):
        raise click.UsageError("--seconds: not a number.")
    if container is not None and backend == "ptrace":
        raise click.UsageError("--container takes eBPF: ptrace sees own children only.")


def _parse_ready(text: str | None) -> ReadyCondition | None:
    if text is None:
        return None
    from seclatch.recording.ready.parse_ready import parse_ready

    condition = parse_ready(text)
    condition.notify = lambda sentence: progress_messages.print_sentences([sentence])
    return condition


def _write(path: Path, recording: Recording) -> None:
    from seclatch.recording.files import recording_file

    recording_file.write_recording(path, recording)


def _saver(path: Path) -> Callable[[Recording], None]:
    """Save what there is so far; where that fails it is said once, and there may be room later."""
    failed: list[SeclatchError] = []

    def save(recording: Recording) -> None:
        try:
            _write(path, recording)
        except SeclatchError as error:
            if not failed:
                progress_messages.print_sentences(
                    [f"{error}; recording goes on, and is written again"]
                )
            failed.append(error)

    return save


def _find_pod(identifier: str) -> PodContainer | None:
    from seclatch.process.find_pod import find_pod

    return find_pod(identifier)


def _of_command(args: tuple[str, ...]) -> _Record:
    from seclatch.recording.record_command import record_command

    return lambda options: record_command(args, options)


def _of_container(word: str) -> _Record:
    from seclatch.process.container_images import find_container_image
    from seclatch.process.process_snapshot import SnapshotRequest, take_snapshot
    from seclatch.process.process_target import find_target
    from seclatch.recording.record_container import ContainerTarget, record_container

    found = find_target(word, take_snapshot(SnapshotRequest(filters=False)).processes)
    identifier = found.container.id if found.container else ""
    image = find_container_image(found.pid, identifier)
    pod = found.container.pod_names if found.container else None
    engine = found.container.engine if found.container else ""
    target = ContainerTarget(found.pid, word, identifier, image, pod, engine)
    return lambda options: (0, record_container(target, options))


def _free_name(program: str) -> Path:
    """Choose a name in the current directory that is not taken: recordings are not replaced."""
    base = Path(program).name or "command"
    path = Path(f"{base}.recording.json")
    number = 2
    while path.exists():
        path = Path(f"{base}-{number}.recording.json")
        number += 1
    return path
