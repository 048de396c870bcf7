"""Write the counts of sweeps as the tables of docs/sweep.md."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from tests.sweep.sweep import Result

HEADER = """\
| method | caller | start | calls of the tracers | points | bound | refused | dead | other |
|---|---|---|---|---|---|---|---|---|
"""
# A row as printed by a sweep, with the seconds behind it, or by the arm64 guest.
ROW = re.compile(r"(?:^|@@ NOTE sweep )(\| (?:suspend|hold|gate) \|.*\|)(?: \d+ s)?$")


def row(result: Result) -> str:
    """Return one line of the table."""
    kind, counts = result.kind, result.counts
    other = result.points - counts["bound"] - counts["refused"] - counts["dead"]
    verb = "create, start" if kind.verb == "create" else kind.verb
    cells = [
        kind.method,
        "user" if kind.user else "root",
        f"{kind.runtime} {verb}",
        " + ".join(f"{calls:,}" for calls in result.calls if calls),
        *map(str, (result.points, counts["bound"], counts["refused"], counts["dead"], other)),
    ]
    return f"| {' | '.join(cells)} |"


def read_rows(output: Path) -> list[str]:
    """Read the rows that a sweep, or the arm64 guest on its console, has printed."""
    return [match[1] for match in map(ROW.search, output.read_text().splitlines()) if match]


def commit_of_latch() -> str:
    """Return the last commit that changed the latch."""
    words = ["git", "log", "-1", "--format=%h", "--", "native"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


def write_section(page: Path, machine: str, rows: Sequence[str], commit: str) -> None:
    """Replace the section of one machine: its heading is `machine`."""
    counts = [[int(cell) for cell in each.split("|")[5:10]] for each in rows]
    points, *_, other = [sum(column) for column in zip(*counts, strict=True)]
    text = (
        f"{machine}\n\nThe latch of commit {commit}, {time.strftime('%Y-%m-%d')}: {points:,} "
        f"points, {other} of them with another end than bound, refused or dead.\n\n"
        + HEADER
        + "".join(f"{each}\n" for each in rows)
    )
    sections = page.read_text().split("\n## ")
    kept = [each for each in sections if not each.startswith(machine.split(",", maxsplit=1)[0])]
    part = page.with_suffix(".part")
    part.write_text("\n## ".join([*kept, text]))
    part.rename(page)
