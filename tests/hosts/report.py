"""Parse a guest's console, and write the results into a page."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.newer.results import describe_commit

_CHECK = re.compile(r"@@ CHECK (.*?): (.*) \(\d+ s\)$")
_BOOTED = re.compile(r"@@ BOOTED \S+ (\S+) ?(\S*)$")
BEGIN, END = "<!-- hosts: begin -->\n", "<!-- hosts: end -->\n"


@dataclass
class Findings:
    """The findings on one machine: its kernel, its security modules, each check's outcome."""

    release: str = ""
    modules: str = ""
    outcomes: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    ended: bool = False

    @property
    def problems(self) -> list[str]:
        """List the failures."""
        found = [
            f"{name}: {outcome}"
            for name, outcome in self.outcomes.items()
            if outcome.startswith("FAILED")
        ]
        if not self.ended or not self.outcomes:
            found.append("the checks did not come to their end")
        return found


def read_console(lines: Iterable[str]) -> Findings:
    """Read the lines that the guest's checks print."""
    found = Findings()
    for line in lines:
        if match := _BOOTED.search(line):
            found.release, found.modules = match.groups()
        elif match := _CHECK.search(line):
            found.outcomes[match[1]] = match[2]
        elif line.startswith("@@ NOTE "):
            found.notes.append(line.removeprefix("@@ NOTE "))
        found.ended |= line.startswith("@@ ENDED")
    return found


def write_page(page: Path, found: dict[str, Findings]) -> None:
    """Put the tables between the page's marks."""
    text = page.read_text()
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    if END not in rest:
        raise SystemExit(f"hosts: {page} has no marks {BEGIN.strip()} and {END.strip()}")
    page.write_text(f"{head}{BEGIN}{make_tables(found)}{END}{tail}")


def make_tables(found: dict[str, Findings]) -> str:
    """Make a table of the machines and one of the outcomes; each long text stands below, once."""
    lines = [f"Measured at {describe_commit()}.", "", "| machine | kernel | security modules |"]
    lines.append("|---|---|---|")
    lines += [f"| {name} | {one.release} | {one.modules} |" for name, one in found.items()]
    names = dict.fromkeys(check for one in found.values() for check in one.outcomes)
    long: dict[str, int] = {}
    lines += ["", f"| | {' | '.join(found)} |", f"|---|{'---|' * len(found)}"]
    for check in names:
        cells = [shorten(one.outcomes.get(check, "not run"), long) for one in found.values()]
        lines.append(f"| {check} | {' | '.join(cells)} |")
    lines += ["", *(f"{number}. {text}" for text, number in long.items())]
    return "\n".join(lines) + "\n"


def shorten(outcome: str, long: dict[str, int]) -> str:
    """Return the first words, and the number of the full text below."""
    if len(outcome) <= 40:
        return outcome
    start = re.split("[:;]", outcome)[0][:40]
    return f"{start} ({long.setdefault(outcome, len(long) + 1)})"
