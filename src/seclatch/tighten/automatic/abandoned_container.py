"""Find containers whose supervisor and guard were both killed before they were done.

Both hold a file of the container's. The next supervisor on this host, and `seclatch doctor`, see by
its lock that neither lives any more. See docs/decisions/0136-tightening-by-annotation.md.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from seclatch.process.tightened_records import read_tightened
from seclatch.system.held_file import HeldFile, hold_file, take_released_files
from seclatch.system.procfs import read_start
from seclatch.tighten.automatic.started_container import StartedContainer, find_unrecognised

FOLDER = Path("/run/seclatch/supervised")

_TICKS = os.sysconf("SC_CLK_TCK")
_UNBORN = 60.0
"""So long after its supervisor's start a container may come to be without a front that lives."""


class SupervisedMark(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for a container.

    `since`: start time of its supervisor, in clock ticks. `front`: pid of the latch's front.
    """

    since: int
    stop: bool
    front: int = 0


def mark_supervised(identifier: str, mark: SupervisedMark, folder: Path = FOLDER) -> HeldFile:
    """Hold the file of this container, until its supervisors are done or gone. Raises OSError."""
    return hold_file(folder / identifier, msgspec.json.encode(mark))


def take_abandoned(folder: Path = FOLDER) -> Iterator[HeldFile]:
    """Return the files that no supervisor holds; this process does now."""
    return take_released_files(folder)


def conclude_abandoned(
    files: Iterable[HeldFile],
    conclude: Callable[[StartedContainer, SupervisedMark], object],
    notify: Callable[[str, str], None],
) -> None:
    """Call `conclude` for each of the containers that runs and is not tightened.

    A file stays, for the next supervisor and for doctor, until what it asks for is done. `notify`
    gets a container's name and why it could not be.
    """
    for file in files:
        try:
            settled = _settle(file, conclude)
        except Exception as error:  # whatever it is, the other containers are not to be left out
            notify(file.path.name, str(error) or type(error).__name__)
            settled = False
        if settled:
            file.remove()
        else:
            file.leave()


def _settle(file: HeldFile, conclude: Callable[[StartedContainer, SupervisedMark], object]) -> bool:
    """Return whether nothing is left to do for this container."""
    try:
        mark = msgspec.json.decode(file.read(), type=SupervisedMark)
    except msgspec.MsgspecError:
        return True  # nothing that a supervisor has written
    started = find_unrecognised(file.path.name, mark.since)
    if started is None:
        return not _may_begin(mark)
    # A later start of that name has a file of its own, which it wrote before the container was
    # made: so this look comes after the one for processes.
    if not file.is_current() or _is_tightened(started):
        return True
    conclude(started, mark)
    return not mark.stop or started.has_ended()


def _may_begin(mark: SupervisedMark) -> bool:
    """Return whether the runtime may still make the container; it is the front's process."""
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - mark.since / _TICKS
    return age < _UNBORN or read_start(mark.front) <= mark.since


def _is_tightened(started: StartedContainer) -> bool:
    """Return whether its supervisors were killed only when it was bound."""
    return any(pid == started.pid for pid, _ in read_tightened())
