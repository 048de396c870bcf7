"""Find containers whose supervisor and guard were both killed before they were done.

Both hold a file of the container's. The next supervisor on this host, and `seclatch doctor`, see by
its lock that neither lives any more. See docs/decisions/0136-tightening-by-annotation.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from seclatch.process.tightened_records import read_tightened
from seclatch.system.held_file import HeldFile, hold_file, take_released_files
from seclatch.tighten.automatic.started_container import StartedContainer, find_unrecognised

FOLDER = Path("/run/seclatch/supervised")


class SupervisedMark(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for a container. `since`: start time of its supervisor, in clock ticks."""

    since: int
    stop: bool


def mark_supervised(identifier: str, mark: SupervisedMark, folder: Path = FOLDER) -> HeldFile:
    """Hold the file of this container, until its supervisors are done or gone. Raises OSError."""
    return hold_file(folder / identifier, msgspec.json.encode(mark))


def take_abandoned(folder: Path = FOLDER) -> Iterator[HeldFile]:
    """Return the files that no supervisor holds; this process does now."""
    return take_released_files(folder)


def conclude_abandoned(
    files: Iterable[HeldFile], conclude: Callable[[StartedContainer, SupervisedMark], object]
) -> None:
    """Call `conclude` for each of the containers that runs and is not tightened."""
    for file in files:
        try:
            mark = msgspec.json.decode(file.read(), type=SupervisedMark)
            started = find_unrecognised(file.path.name, mark.since)
            if started and not _is_tightened(started):
                conclude(started, mark)
        except (OSError, msgspec.MsgspecError):
            continue  # nothing that a supervisor has written
        finally:
            file.remove()


def _is_tightened(started: StartedContainer) -> bool:
    """Return whether its supervisors were killed only when it was bound."""
    return any(pid == started.pid for pid, _ in read_tightened())
