"""A recording as a matrix: system calls by stage, made and denied."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from seclatch.model.recording import RecordedCalls, RecordedDenial, Recording
from seclatch.model.stage import Stage


@dataclass(frozen=True, slots=True, order=True)
class MatrixRow:
    """One call of one ABI; unnamed ones by number."""

    name: str
    arch: str


@dataclass(slots=True)
class CallMatrix:
    """Counts by row and column; a column is a stage's name, or a process' number."""

    made: dict[str, Counter[MatrixRow]] = field(default_factory=dict)
    denied: dict[str, Counter[MatrixRow]] = field(default_factory=dict)

    def rows(self) -> list[MatrixRow]:
        """All rows, by name."""
        columns = [*self.made.values(), *self.denied.values()]
        return sorted({row for column in columns for row in column})

    def columns(self) -> list[str]:
        """The columns that have anything, in the order of their first call."""
        return list(dict.fromkeys([*self.made, *self.denied]))


def count_by_stage(recording: Recording) -> CallMatrix:
    """Sum up over processes; columns in the order of a start."""
    order = {stage.value: number for number, stage in enumerate(Stage)}
    stages = {each.stage for each in list_entries(recording)}
    matrix = CallMatrix()
    for stage in sorted(stages, key=lambda stage: order.get(stage, len(order))):
        for each in list_entries(recording):
            if each.stage == stage:
                _add(matrix, stage, each)
    return matrix


def count_by_process(recording: Recording) -> CallMatrix:
    """Keep processes apart; a merged recording has none."""
    matrix = CallMatrix()
    for each in list_entries(recording):
        if each.process is not None:
            _add(matrix, str(each.process), each)
    return matrix


def find_runtime_only_calls(recording: Recording) -> list[str]:
    """Names that filtered-init made or tried and the program did not: what the latch saves."""
    names: dict[str, set[str]] = {}
    for each in list_entries(recording):
        names.setdefault(each.stage, set()).add(each.name or f"#{each.number}")
    runtime = names.get(Stage.FILTERED_INIT.value, set())
    return sorted(runtime - names.get(Stage.PROGRAM.value, set()))


def list_entries(recording: Recording) -> list[RecordedCalls | RecordedDenial]:
    """List all that was asked of the kernel, made or denied."""
    return [*recording.calls, *recording.denials]


def _add(matrix: CallMatrix, column: str, each: RecordedCalls | RecordedDenial) -> None:
    side = matrix.denied if isinstance(each, RecordedDenial) else matrix.made
    row = MatrixRow(each.name or f"#{each.number}", each.arch)
    side.setdefault(column, Counter())[row] += each.count
