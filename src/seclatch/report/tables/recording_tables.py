"""A recording as tables for a terminal."""

from __future__ import annotations

import shlex
from collections import Counter
from typing import Any

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.tree import Tree

from seclatch.model.recording.call_matrix import (
    BOOT,
    EXEC_SESSION,
    RUNNING,
    CallMatrix,
    MatrixRow,
    count_by_phase,
    count_by_process,
    count_by_role,
    count_by_stage,
    find_runtime_only_calls,
    split_exec_sessions,
)
from seclatch.model.recording.recording import RecordedProcess, Recording
from seclatch.model.stage import Stage
from seclatch.output.printable_text import make_printable
from seclatch.report.tables.full_width_table import print_whole

MAX_TITLE = 200

SCHEMA = 1
"""Version of `show --json`; it changes when a key changes its meaning or goes."""


def show_stages(recording: Recording, console: Console) -> None:
    """Print a summary and calls by stage, the program's first; a denied count is marked."""
    matrix = split_exec_sessions(count_by_stage(recording), recording)
    columns = sorted(matrix.columns(), key=_order_columns)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("system call", no_wrap=True)
    phases = count_by_phase(recording)
    cells = [(phases, RUNNING)] if recording.ready else []
    cells = [*((matrix, each) for each in columns[:1]), *cells, *((matrix, c) for c in columns[1:])]
    for _, column in cells:
        table.add_column(column, justify="right", no_wrap=True)
    for row in matrix.rows():
        table.add_row(_row_name(row, recording), *(_cell(*each, row) for each in cells))
    console.print(_safe(_summary(recording, matrix)))
    console.print(_safe(describe_phases(recording)) + "\n" if recording.ready else "")
    print_whole(table, console)
    if extra := find_runtime_only_calls(recording):
        console.print("\n[bold]only the runtime needed[/]  " + " ".join(map(_safe, extra)))


def _order_columns(stage: str) -> int:
    """Sort the program's calls first, then those of exec sessions."""
    return [Stage.PROGRAM.value, EXEC_SESSION, stage].index(stage)


def _summary(recording: Recording, matrix: CallMatrix) -> str:
    """One line: what ran, how much it called, how many different calls are the program's."""
    program = (Stage.PROGRAM.value, EXEC_SESSION)
    sides = [side.get(stage, ()) for side in (matrix.made, matrix.denied) for stage in program]
    names = {row.name for side in sides for row in side}
    calls = sum(each.count for each in recording.calls)
    denied = sum(each.count for each in recording.denials)
    return (
        f"{_title(recording)[:MAX_TITLE]}: {calls:,} calls"
        + (f", {denied:,} denied" if denied else "")
        + (f", of {recording.runs:,} runs" if recording.runs > 1 else "")
        + f"; the program's: {len(names)} different ones"
        + (
            f"; only the runtime's: {len(only)}"
            if (only := find_runtime_only_calls(recording))
            else ""
        )
    )


def describe_phases(recording: Recording) -> str:
    """Say when the program was ready, and how many of its calls it made in which phase."""
    if recording.ready is None:
        return ""
    phases = count_by_phase(recording)
    boot, running = (
        {row.name for side in (phases.made, phases.denied) for row in side.get(phase, ())}
        for phase in (BOOT, RUNNING)
    )
    return (
        f"ready ({recording.ready.condition}) after {recording.ready.time:.1f} s: the program made "
        f"{len(running)} different calls later, and {len(boot - running)} only before"
        + _describe_roles(recording)
    )


def _describe_roles(recording: Recording) -> str:
    """Say how many calls each role needs; "" where there is one alone."""
    if len(recording.roles) < 2:
        return ""
    needs = (f"{role.name} {len(role.calls)}" for role in recording.roles)
    return f"; by role, with what it creates, once started: {', '.join(needs)}"


def _title(recording: Recording) -> str:
    if recording.commands:
        return shlex.join(recording.commands[0])
    names = [each.title for each in recording.containers if each.title]
    return f"container {', '.join(names or recording.container_names)}"


def show_roles(recording: Recording, console: Console) -> None:
    """Print what a filter of each role must allow, once it has started."""
    matrix = count_by_role(recording)
    console.print(_safe(describe_phases(recording) or "no ready mark: no roles are told apart"))
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("system call", no_wrap=True)
    for role in recording.roles:
        table.add_column(_safe(role.name), justify="right", no_wrap=True)
    for row in matrix.rows():
        cells = (_cell(matrix, role.name, row) for role in recording.roles)
        table.add_row(_row_name(row, recording), *cells)
    print_whole(table, console)


def show_processes(recording: Recording, console: Console) -> None:
    """Print the tree of processes, each with what it ran and how much it called."""
    matrix = count_by_process(recording)
    children: dict[int | None, list[RecordedProcess]] = {}
    for process in recording.processes:
        children.setdefault(process.parent, []).append(process)
    tree = Tree(_safe(_title(recording).rstrip()), hide_root=False)
    joined = {session.process for session in recording.sessions if session.joined}
    waiting = [(tree, each) for each in reversed(children.get(None, []))]
    while waiting:  # by hand: a recording may be deeper than Python's stack
        branch, process = waiting.pop()
        line = _process_line(process, matrix)
        node = branch.add(f"{line}  [yellow]exec session[/]" if process.id in joined else line)
        waiting += [(node, each) for each in reversed(children.get(process.id, []))]
    console.print(tree)


def as_document(recording: Recording, by: str) -> dict[str, Any]:
    """Answer what the tables show, for machines."""
    count = {"stage": count_by_stage, "process": count_by_process, "role": count_by_role}
    matrix = count[by](recording)
    phases, roles = count_by_phase(recording), count_by_role(recording)
    return {
        "schema": SCHEMA,
        "runs": recording.runs,
        "complete": recording.complete,
        by: {
            column: {
                "calls": _counts(matrix.made.get(column)),
                "denied": _counts(matrix.denied.get(column)),
            }
            for column in matrix.columns()
        },
        "exec_sessions": _document_sessions(recording),
        "only_runtime": find_runtime_only_calls(recording),
        "ready": msgspec.to_builtins(recording.ready),
        "phases": {
            phase: {
                "calls": _counts(phases.made.get(phase)),
                "denied": _counts(phases.denied.get(phase)),
            }
            for phase in phases.columns()
        },
        "roles": {
            role.name: {"processes": role.processes, "calls": _counts(roles.made.get(role.name))}
            for role in recording.roles
        },
    }


def _document_sessions(recording: Recording) -> dict[str, Any]:
    """List what exec sessions and health checks called: a part of the stage `program`."""
    matrix = split_exec_sessions(count_by_stage(recording), recording)
    sides = (matrix.made.get(EXEC_SESSION), matrix.denied.get(EXEC_SESSION))
    return dict(zip(("calls", "denied"), map(_counts, sides), strict=True))


def _counts(counts: Counter[MatrixRow] | None) -> list[dict[str, Any]]:
    rows = sorted((counts or Counter()).items())
    return [{"name": row.name, "arch": row.arch, "count": count} for row, count in rows]


def _cell(matrix: CallMatrix, column: str, row: MatrixRow) -> str:
    made = matrix.made.get(column, Counter())[row]
    denied = matrix.denied.get(column, Counter())[row]
    parts = [f"{made:,}"] if made else []
    if denied:
        parts.append(f"[red]{denied:,} denied[/]")
    return " ".join(parts)


def _row_name(row: MatrixRow, recording: Recording) -> str:
    native = {host.arch for host in recording.hosts}
    return _safe(row.name if row.arch in native else f"{row.name} ({row.arch})")


def _process_line(process: RecordedProcess, matrix: CallMatrix) -> str:
    column = str(process.id)
    made = matrix.made.get(column, Counter()).total()
    denied = matrix.denied.get(column, Counter()).total()
    words = " → ".join(_image_line(image.stage, image.argv) for image in process.images)
    count = f"[dim]{made:,} calls[/]" + (f" [red]{denied:,} denied[/]" if denied else "")
    return f"{process.pid}  {count}  {words or 'forked'}"


def _image_line(stage: str, argv: list[str]) -> str:
    text = shlex.join(argv)
    return f"[cyan]{_safe(stage)}[/] {_safe(text[:100] + ('…' if len(text) > 100 else ''))}"


def _safe(text: str) -> str:
    return escape(make_printable(text))
