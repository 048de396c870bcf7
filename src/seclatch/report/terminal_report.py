"""The report as tables and a compact timeline for a terminal."""

from __future__ import annotations

import io
import shutil
from collections import Counter
from collections.abc import Iterator

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from seclatch.model.profile.fit_result import ProfileFit, ProfileSize
from seclatch.model.profile.profile_reasons import ProfileReasons
from seclatch.output.printable_text import make_printable
from seclatch.report.document.process_history import FILTERED, SUSPENDED, UNFILTERED
from seclatch.report.document.process_names import (
    command_line,
    describe_ending,
    format_duration,
    list_some,
)
from seclatch.report.document.report_document import Line, Node, Report, Start
from seclatch.report.document.syscall_matrix import NEEDS, show_scan_verdict
from seclatch.report.tables.full_width_table import print_whole
from seclatch.report.timeline.timeline_chart import lay_out_chart

TONES = {UNFILTERED: ("░", ""), SUSPENDED: ("▒", "yellow"), FILTERED: ("█", "green")}
GLYPHS = {
    "denied": ("✕", "bold red"),
    "released": ("◆", "bold green"),
    "filter": ("▼", "yellow"),
    "ready": ("⚑", "bold green"),
}
MAX_PROCESSES = 60
MIN_WIDTH = 40
MAX_BAR = 40


def measure_width() -> int:
    """Return the terminal's width, limited to a readable line."""
    return min(shutil.get_terminal_size((100, 24)).columns, 160)


def render_report(report: Report, columns: int, *, colour: bool = False) -> str:
    """Write it as text of `columns` columns, with a terminal's colours if asked for."""
    file = io.StringIO()
    console = Console(
        file=file,
        width=max(columns, MIN_WIDTH),
        force_terminal=colour,
        highlight=False,
        color_system="standard" if colour else None,
        legacy_windows=False,
    )
    _show_summary(report, console)
    for start in report.starts[:8]:
        _show_start(start, console)
    _show_timeline(report, console)
    if report.fit:
        _show_fit(report.fit, console)
    _show_matrix(report, console)
    _show_processes(report, console)
    return file.getvalue()


def _safe(text: str) -> str:
    return escape(make_printable(text))


def _title(console: Console, text: str) -> None:
    console.print(f"\n[bold]{text}[/]")


def _show_summary(report: Report, console: Console) -> None:
    summary = report.summary
    for command in summary.commands[:3]:
        console.print(f"[bold]{_safe(command_line(command, 200))}[/]")
    console.print(
        f"{_safe(summary.started)}, {format_duration(summary.duration)}, "
        f"{_safe(list_some(summary.hosts, 3))}: {summary.processes:,} processes, "
        f"{summary.calls:,} calls, {summary.denied:,} denied"
    )
    for each in summary.software:
        console.print(f"[dim]{_safe(each)}[/]")
    for each in summary.missing:
        console.print(f"[yellow]not everything is here:[/] {_safe(each)}")


def _show_start(start: Start, console: Console) -> None:
    _title(console, _safe(start.headline))
    for part in start.sections:
        block, style = TONES[part.state]
        mark = "▶ filter begins" if part.begins else ""
        when = f" from {format_duration(part.time)}" if part.time is not None else ""
        denied = f" [red]✕ denied: {_safe(list_some(part.denied, 8))}[/]" if part.denied else ""
        console.print(
            f"  [{style or 'default'}]{block * 4}[/] {mark:<16} {part.state:<10} "
            f"{part.calls:>7,} calls{when:<16} {_safe(part.name)}{denied}"
        )


def _show_timeline(report: Report, console: Console) -> None:
    laid = lay_out_chart(report)
    if not laid.rows:
        return
    _title(console, "Timeline")
    legend = [
        f"[{style or 'default'}]{block}[/] {state}" for state, (block, style) in TONES.items()
    ]
    marks = [
        f"[{style}]{sign}[/] {kind}"
        for kind, (sign, style) in GLYPHS.items()
        if kind != "ready" or kind in laid.kinds
    ]
    console.print("  ".join([*legend, *marks]) + "  (pauses are shorter than they were)")
    left = min(44, console.width // 3)
    room = console.width - left - 1
    for row in laid.rows:
        name = make_printable(f"{row.lane.stage:<13} {row.lane.title}")
        cells = [" "] * room
        for bar in row.bars:
            block, style = TONES[bar.state]
            cell = f"[{style}]{block}[/]" if style else block
            for place in _places(bar.x, bar.width, room):
                cells[place] = cell
        for glyph in row.glyphs:
            if glyph.kind in GLYPHS:
                sign, style = GLYPHS[glyph.kind]
                cells[min(int(glyph.x / 100 * room), room - 1)] = f"[{style}]{sign}[/]"
        shown = name if len(name) <= left else name[: left - 3] + "..."
        console.print(f"{escape(shown):<{left}} " + "".join(cells).rstrip(), no_wrap=True)
    console.print(" " * (left + 1) + _axis([(tick.x, tick.text) for tick in laid.ticks], room))


def _places(x: float, wide: float, room: int) -> Iterator[int]:
    first = min(int(x / 100 * room), room - 1)
    yield from range(first, min(room, max(first + 1, round((x + wide) / 100 * room))))


def _axis(ticks: list[tuple[float, str]], room: int) -> str:
    line = ""
    for x, text in ticks:
        place = min(int(x / 100 * room), room - len(text))
        if place > len(line) or not line:
            line = line.ljust(place) + text
    return line


def _show_fit(fit: ProfileFit, console: Console) -> None:
    _title(console, f"Calls that are open, of the {fit.docker.of} that {_safe(fit.arch)} has")
    table = Table(box=None, pad_edge=False, show_header=False)
    for size in (fit.docker, fit.profile, fit.program):
        if size:
            bar = _bar(size, min(MAX_BAR, console.width // 4))
            table.add_row(_safe(size.name), str(size.open), bar, _partly(size))
    print_whole(table, console)
    if fit.profile and fit.program:
        for text, names in _denied_and_unused(fit):
            console.print(f"{text}: {_safe(' '.join(names)) or 'nothing'}")
    if fit.reasons:
        console.print(_safe(summarize_reasons(fit.reasons)))
    for warning in [*fit.warnings, *([fit.why_not] if fit.why_not else [])]:
        console.print(f"[yellow]note:[/] {_safe(warning)}")


def summarize_reasons(reasons: ProfileReasons) -> str:
    """Say how many calls a generated profile allows for which kind of reason."""
    kinds = Counter(each.kind for each in reasons.allowed)
    counts = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    limited = sum(bool(each.arguments) for each in reasons.allowed)
    values = Counter(each.call for each in reasons.left_out_arguments)
    left = [each.call for each in reasons.left_out]
    left += [f"{count} values of {call}" for call, count in values.items()]
    return (
        f"`seclatch generate` allows {len(reasons.allowed)}, {limited} of them for some arguments "
        f"only ({counts}; each with its reason by --reasons); left out: "
        f"{', '.join(left) or 'nothing'}"
    )


def _denied_and_unused(fit: ProfileFit) -> Iterator[tuple[str, list[str]]]:
    undecided = "denies for some arguments, and the recording does not tell whether for the"
    yield "denies, though the program used it", fit.refused
    if fit.refused_for_some:
        yield f"{undecided} program's", fit.refused_for_some
    yield "denies, though the runtime needs it", fit.runtime_refused
    if fit.runtime_refused_for_some:
        yield f"{undecided} runtime's", fit.runtime_refused_for_some
    yield "allows, though the program never used it", fit.unused


def _bar(size: ProfileSize, whole: int) -> str:
    return "█" * round(whole * size.open / size.of)


def _partly(size: ProfileSize) -> str:
    return f"{size.partly} for some arguments only" if size.partly else ""


def _show_matrix(report: Report, console: Console) -> None:
    _title(console, "System calls by stage")
    matrix = report.matrix
    if matrix.ready:
        console.print(_safe(matrix.ready))
    scanned = bool(matrix.scan)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("call", no_wrap=True)
    for title in ("needed by", *(["in binaries"] if scanned else [])):
        table.add_column(title)
    for title in (*matrix.stages, *(["once ready"] if matrix.ready else [])):
        table.add_column(title, justify="right")
    for line in matrix.lines:
        cells = [line.need, *([show_scan_verdict(line)] if scanned else [])]
        cells += [_cell(line, stage) for stage in matrix.stages]
        cells += [f"{line.running:,}" if line.running else ""] if matrix.ready else []
        table.add_row(_safe(line.name), *cells)
    print_whole(table, console)
    for need, meaning in NEEDS.items():
        if scanned or need != "static":
            console.print(f"[dim]{need}: {meaning}[/]")
    if scanned:
        rest = "" if report.matrix.whole else ", which may not be all"
        console.print(f"[dim]in binaries: found by a scan of {_safe(report.matrix.scan)}{rest}[/]")


def _cell(line: Line, stage: str) -> str:
    made, denied = line.made.get(stage, 0), line.denied.get(stage, 0)
    return " ".join(([f"{made:,}"] if made else []) + ([f"[red]✕{denied:,}[/]"] if denied else []))


def _show_processes(report: Report, console: Console) -> None:
    _title(console, "Processes")
    for node in report.processes[:MAX_PROCESSES]:
        console.print(_process(node), soft_wrap=True)
    more = sum(node.count for node in report.processes[MAX_PROCESSES:]) + report.left_out
    if more:
        console.print(f"and {more:,} more: `seclatch show --by process` lists them all")


def _process(node: Node) -> str:
    words = " → ".join(
        f"[cyan]{_safe(stage)}[/] {_safe(command_line(argv, 80) or exe or '(fork)')}"
        for stage, exe, argv in node.images
    )
    times = f"{node.count:,} x " if node.count > 1 else ""
    denied = f" [red]✕{node.denied:,}[/]" if node.denied else ""
    end = "ran before" if node.found_running else describe_ending(node.status)
    more = "".join(
        f", {fact}" for fact in [f"user {node.user}" if node.user else "", *node.facts] if fact
    )
    facts = f"[dim]{node.state}, {node.calls:,} calls[/]{denied}[dim], {end}{more}[/]"
    return f"{'  ' * min(node.depth, 20)}{times}{node.pid} {words}  {facts}"
