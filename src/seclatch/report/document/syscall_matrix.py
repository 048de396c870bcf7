"""System calls by stage: which part of a start needs each, and whether a scan found it. Pure."""

from __future__ import annotations

from collections import Counter

from seclatch.model.recording import call_matrix as counted
from seclatch.model.recording.recording import Recording
from seclatch.model.scan import Scan
from seclatch.model.stage import Stage
from seclatch.report.document.report_document import Line, Matrix
from seclatch.report.tables.recording_tables import describe_phases

UNDER, PROGRAM = Stage.FILTERED_INIT.value, Stage.PROGRAM.value

NEEDS = {
    "runtime": "only the runtime, under the filter",
    "both": "the runtime under the filter, and the program",
    "program": "only the program",
    "static": "nobody yet: only found in the binaries",
    "outside": "nobody under the filter",
}
"""What a line's `need` means, in the order of a table."""


def make_matrix(recording: Recording, scan: Scan | None = None) -> Matrix:
    """Make the table; lines by need, then by name. A scan adds calls that were not recorded."""
    source = counted.count_by_stage(recording)
    phases = counted.count_by_phase(recording)
    running = sum(
        (side.get(counted.RUNNING, Counter()) for side in (phases.made, phases.denied)), Counter()
    )
    stages = sorted(source.columns(), key=_order)
    found = _found(scan) if scan else set()
    lines = []
    for row in sorted({*source.rows(), *found}):
        made = _counts(source.made, stages, row)
        denied = _counts(source.denied, stages, row)
        need = _need({*made, *denied}) if made or denied else "static"
        scanned = row in found if scan else None
        lines.append(
            Line(
                name=row.name,
                arch=row.arch,
                need=need,
                made=made,
                denied=denied,
                scanned=scanned,
                running=running[row],
            )
        )
    needs = list(NEEDS)
    return Matrix(
        stages=stages,
        lines=sorted(lines, key=lambda line: (needs.index(line.need), line.name, line.arch)),
        scan=(scan.source or "a scan") if scan else "",
        whole=scan is not None and scan.whole,
        ready=describe_phases(recording),
    )


def show_scan_verdict(line: Line) -> str:
    """Return the text of the scan's column for a call."""
    if line.scanned:
        return "found"
    return "not found" if line.scanned is False and line.need in ("program", "both") else ""


def _found(scan: Scan) -> set[counted.MatrixRow]:
    return {
        counted.MatrixRow(call.name, program.arch)
        for program in scan.programs
        for call in program.calls
        if call.name
    }


def _counts(
    source: dict[str, Counter[counted.MatrixRow]], stages: list[str], row: counted.MatrixRow
) -> dict[str, int]:
    counts = {stage: source[stage][row] for stage in stages if stage in source}
    return {stage: count for stage, count in counts.items() if count}


def _order(stage: str) -> int:
    names = [each.value for each in Stage]
    return names.index(stage) if stage in names else len(names)


def _need(stages: set[str]) -> str:
    if UNDER in stages:
        return "both" if PROGRAM in stages else "runtime"
    return "program" if PROGRAM in stages else "outside"
