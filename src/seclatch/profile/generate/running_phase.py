"""Select what recordings show of the running phase, and say what was seen in it and what never.

A call that was made only before the program was ready is left out, also where a scan finds it: a
scan tells which calls the program can make, but not in which phase it makes them. Exec sessions are
left out, too: those of a container that is tightened later are under its first profile alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from seclatch.model.recording.recorded_roles import keep_role
from seclatch.model.recording.recording import (
    RecordedArgument,
    RecordedCalls,
    RecordedDenial,
    Recording,
)
from seclatch.model.recording.select_recording import drop_sessions

_TO_THE_END = {
    "brk": "the C library gives memory back and takes more by it, and `seclatch tighten` demands it"
}
_ACCEPT = ("accept", "accept4")
_LISTENS = "it listens, and a listening socket gives no connection without"
_SHOWN = 40
_Row = TypeVar("_Row", RecordedCalls, RecordedDenial, RecordedArgument)


@dataclass(frozen=True, slots=True)
class RunningPhase:
    """The recordings of the running phase alone.

    `seen` and `boot_only` are names of calls of the asked stages: made after a mark, and only
    before. `needs`: calls to allow though no recording shows them there, with the reason.
    """

    recordings: tuple[Recording, ...]
    seen: frozenset[str]
    boot_only: frozenset[str]
    needs: dict[str, str]
    seconds: float
    conditions: tuple[str, ...]
    role: str = ""

    def describe(self) -> Iterator[str]:
        """Say what was seen after the marks, and what never."""
        phase = f"the running phase of role {self.role}" if self.role else "the running phase"
        yield (
            f"{phase}, {self.seconds:.1f} s after ready ({', '.join(self.conditions)}): "
            f"{len(self.seen)} calls were seen in it; rare work (a rotation, a backup, a stop) "
            "must have happened in that time to be among them"
        )
        if names := sorted(self.boot_only):
            more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
            other = ", or in other processes," if self.role else ","
            yield (
                f"{len(names)} calls were seen only before{other} and are allowed only where they "
                f"are harmless: {', '.join(names[:_SHOWN])}{more}; --allow CALL allows one"
            )
        if self.needs.keys() & set(_ACCEPT):
            yield (
                "no connection was accepted in the running phase: accept and accept4 are allowed, "
                "and what a new connection needs besides was not seen; record while clients connect"
            )


def select_running(
    recordings: Sequence[Recording], stages: frozenset[str], role: str = ""
) -> RunningPhase:
    """Select the running phase, of one role or all.

    Raises ValueError for a recording without a mark, or none with the role.
    """
    marks = [recording.ready for recording in recordings]
    if None in marks:
        raise ValueError("it has no ready mark: which calls were made later is not known")
    own = [_drop_sessions(recording) for recording in recordings]
    accepted = _list_seen(own, stages).intersection(_ACCEPT)
    own = keep_role(own, role) if role else own
    seen = _list_seen(own, stages)
    made = [row for recording in own for row in recording.calls if row.stage in stages]
    names = frozenset(row.name for row in made if row.name)
    needs = {name: reason for name, reason in _TO_THE_END.items() if name not in seen}
    if "listen" in names and not accepted:
        needs |= dict.fromkeys(_ACCEPT, _LISTENS)
    return RunningPhase(
        tuple(_restrict(recording) for recording in own),
        seen,
        names - seen,
        needs,
        sum(each.duration - each.ready.time for each in recordings if each.ready),
        tuple(dict.fromkeys(mark.condition for mark in marks if mark)),
        role,
    )


def _list_seen(recordings: Sequence[Recording], stages: frozenset[str]) -> frozenset[str]:
    made = (row for recording in recordings for row in recording.calls if row.stage in stages)
    return frozenset(row.name for row in made if row.running and row.name)


def _drop_sessions(recording: Recording) -> Recording:
    """Return the recording without exec sessions; a merged one does not tell them apart."""
    try:
        return drop_sessions(recording)
    except ValueError:
        return recording


def _restrict(recording: Recording) -> Recording:
    return msgspec.structs.replace(
        recording,
        calls=[_count_running(row) for row in recording.calls if row.running],
        denials=[_count_running(row) for row in recording.denials if row.running],
        arguments=[_count_running(row) for row in recording.arguments if row.running],
    )


def _count_running(row: _Row) -> _Row:
    return msgspec.structs.replace(row, count=row.running)
