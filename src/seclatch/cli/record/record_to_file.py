"""Record what the command line asks for, into a file.

Imported at each recording's start, and what it imports delays the command: click is not among it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from seclatch.cli.record import progress_messages
from seclatch.cli.shared.fast_exit import exit_fast
from seclatch.errors import SeclatchError

if TYPE_CHECKING:
    from seclatch.model.pod import PodContainer
    from seclatch.model.recording.recording import Recording
    from seclatch.recording.ready.ready_condition import ReadyCondition
    from seclatch.recording.recorder import RecordOptions

_Record = Callable[["RecordOptions"], tuple[int, "Recording"]]


class RecordArguments(NamedTuple):
    """Options of `seclatch record`, with their defaults; `args` is the command and its arguments.

    Either `args` or `container` is given.
    """

    output: Path | None = None
    seconds: float | None = None
    container: str | None = None
    follow: bool = False
    backend: str = "auto"
    condition: str | None = None
    quiet: bool = False
    args: tuple[str, ...] = ()


def record_to_file(given: RecordArguments) -> NoReturn:
    """Record, write the recording, and exit with the command's status. Raises SeclatchError."""
    from seclatch.output.result_file import is_stream
    from seclatch.recording import recorder
    from seclatch.recording.files import destination

    container, args, quiet, follow = given.container, given.args, given.quiet, given.follow
    record = _of_container(container) if container is not None else _of_command(args)
    path = given.output or _free_name(container or args[0])
    destination.require_writable(path)
    shown = container is not None and not follow and not quiet and _is_shown()
    options = recorder.RecordOptions(
        given.seconds,
        observe := progress_messages.make_observer(follow=follow, shown=shown),
        every=1.0 if shown else 0.25,
        # so that it survives the recorder as far as it got; a stream takes one recording only
        save=None if is_stream(path) else _saver(path),
        notify=lambda sentence: None if quiet else progress_messages.print_sentences([sentence]),
        backend=given.backend,
        ready=_parse_ready(given.condition),
        find_pod=_find_pod,
        blocks_requests=True,
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


def _is_shown() -> bool:
    """Whether progress is shown: a command's own output would be on the same terminal."""
    import sys

    from seclatch.cli.shared.result_output import is_terminal

    return is_terminal(sys.stderr)


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
