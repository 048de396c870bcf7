"""Wait until the program of a container runs, and not for ever where it hides that."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from seclatch.process.running_bundle import awaits_start
from seclatch.system.procfs import read_start
from seclatch.tighten.automatic.started_container import (
    StartedContainer,
    find_started,
    find_unrecognised,
    has_processes,
)

MAX_SHARE = 20
"""A supervisor waits so many times longer than it looks: 5 % of a processor at most."""
_EVERY = 0.2
_UNBORN = 15.0
"""So long after the front's end a container without a process was not made."""

_Answer = TypeVar("_Answer")


@dataclass(slots=True)
class StartWait:
    """What to wait for. `limit`: seconds that its processes may live without a program seen.

    One that was created may wait for its start for as long as it likes. `front`: pid of the latch's
    front; `since`: start time of the supervisor. `notify` gets one message when a look fails.
    """

    identifier: str
    front: int
    since: int
    limit: float
    notify: Callable[[str], None]
    at_each_look: Callable[[], None] = lambda: None
    rest: Callable[[float], None] = time.sleep
    failed: bool = field(default=False, init=False)

    def ask(self, question: Callable[[], _Answer], default: _Answer) -> _Answer:
        """Return the answer, or the default where it cannot be had: processes end at any time."""
        try:
            return question()
        except Exception as error:  # whatever it is, the container is not to go unwatched
            if not self.failed:
                self.notify(f"looking for its processes: {error or type(error).__name__}")
            self.failed = True
            return default

    def find_started(self) -> StartedContainer | None:
        """Return the container if its program runs."""
        return self.ask(lambda: find_started(self.identifier, self.since), None)

    def find_unrecognised(self) -> StartedContainer | None:
        """Return the container whatever its first process runs."""
        return self.ask(lambda: find_unrecognised(self.identifier, self.since), None)


def await_start(wait: StartWait) -> tuple[StartedContainer | None, str]:
    """Return the container once its program runs; None if it was not made, or is gone again.

    One with processes, whose program was not seen to run, is returned with that problem.
    """
    absent = unseen = 0.0
    while absent < _UNBORN:
        now = time.monotonic()
        wait.at_each_look()
        if started := wait.find_started():
            return started, ""
        present = wait.ask(lambda: has_processes(wait.identifier), default=True)
        created = wait.ask(lambda: awaits_start(wait.identifier), default=False)
        if unseen >= wait.limit and (found := wait.find_unrecognised()):
            return found, f"its program was not seen to run within {wait.limit:g} s"
        wait.rest(max(_EVERY, MAX_SHARE * (time.monotonic() - now)))
        spent = time.monotonic() - now
        absent = 0.0 if present or read_start(wait.front) <= wait.since else absent + spent
        unseen += spent if present and not created else 0.0
    found = wait.find_unrecognised()
    return found, "its program was not seen to run" if found else ""
