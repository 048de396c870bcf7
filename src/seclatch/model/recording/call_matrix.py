"""Calls and denials of a recording as a matrix: system call by stage or by process."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from seclatch.model.recording.recording import RecordedCalls, RecordedDenial, Recording
from seclatch.model.stage import Stage

BOOT, RUNNING = "boot", "running"
"""The phases of a program, before and after its ready mark."""

EXEC_SESSION = "exec-session"


@dataclass(frozen=True, slots=True, order=True)
class MatrixRow:
    """One system call of one ABI; `#N` for a number without a name."""

    name: str
    arch: str


@dataclass(slots=True)
class CallMatrix:
    """Counts by row and column; a column is a stage's name or a process's number."""

    made: dict[str, Counter[MatrixRow]] = field(default_factory=dict)
    denied: dict[str, Counter[MatrixRow]] = field(default_factory=dict)

    def rows(self) -> list[MatrixRow]:
        """Return all rows, sorted by name."""
        columns = [*self.made.values(), *self.denied.values()]
        return sorted({row for column in columns for row in column})

    def columns(self) -> list[str]:
        """Return the columns that are not empty, in the order of their first call."""
        return list(dict.fromkeys([*self.made, *self.denied]))


def count_by_stage(recording: Recording) -> CallMatrix:
    """Count calls of all processes by stage, in the order of a start."""
    order = {stage.value: number for number, stage in enumerate(Stage)}
    stages = {entry.stage for entry in list_entries(recording)}
    matrix = CallMatrix()
    for stage in sorted(stages, key=lambda stage: order.get(stage, len(order))):
        for entry in list_entries(recording):
            if entry.stage == stage:
                _add(matrix, stage, entry)
    return matrix


def count_by_process(recording: Recording) -> CallMatrix:
    """Count calls by process; a merged recording has no processes."""
    matrix = CallMatrix()
    for entry in list_entries(recording):
        if entry.process is not None:
            _add(matrix, str(entry.process), entry)
    return matrix


def count_by_phase(recording: Recording) -> CallMatrix:
    """Count the program's calls before and after its ready mark; empty without one."""
    matrix = CallMatrix()
    for entry in list_entries(recording) if recording.ready else ():
        if entry.stage == Stage.PROGRAM.value:
            _add(matrix, BOOT, entry, entry.count - entry.running)
            _add(matrix, RUNNING, entry, entry.running)
    return matrix


def count_by_role(recording: Recording) -> CallMatrix:
    """Count what a filter of each role must allow; empty for a recording without roles."""
    matrix = CallMatrix()
    for role in recording.roles:
        made = matrix.made.setdefault(role.name, Counter())
        for call in role.calls:
            made[MatrixRow(call.name or f"#{call.number}", call.arch)] += call.count
    return matrix


def split_exec_sessions(matrix: CallMatrix, recording: Recording) -> CallMatrix:
    """Take the program's calls by exec sessions and health checks into a column of their own.

    A merged recording does not tell them apart.
    """
    joined = {session.id for session in recording.sessions if session.joined}
    members = {each.id for each in recording.processes if each.session in joined}
    for entry in list_entries(recording):
        if entry.process in members and entry.stage == Stage.PROGRAM.value:
            _add(matrix, EXEC_SESSION, entry)
    for side in (matrix.made, matrix.denied):
        if EXEC_SESSION in side:
            side[Stage.PROGRAM.value] -= side[EXEC_SESSION]
    return matrix


def find_runtime_only_calls(recording: Recording) -> list[str]:
    """Return the calls that filtered-init made or tried and the program did not.

    These are the calls that a profile need not allow with the latch.
    """
    names: dict[str, set[str]] = {}
    for entry in list_entries(recording):
        names.setdefault(entry.stage, set()).add(entry.name or f"#{entry.number}")
    runtime = names.get(Stage.FILTERED_INIT.value, set())
    return sorted(runtime - names.get(Stage.PROGRAM.value, set()))


def list_entries(recording: Recording) -> list[RecordedCalls | RecordedDenial]:
    """Return all calls and denials of a recording."""
    return [*recording.calls, *recording.denials]


def _add(
    matrix: CallMatrix,
    column: str,
    entry: RecordedCalls | RecordedDenial,
    count: int | None = None,
) -> None:
    side = matrix.denied if isinstance(entry, RecordedDenial) else matrix.made
    row = MatrixRow(entry.name or f"#{entry.number}", entry.arch)
    added = entry.count if count is None else count
    if added:
        side.setdefault(column, Counter())[row] += added
