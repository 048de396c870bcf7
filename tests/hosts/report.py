"""Parse a guest's console, and write the results into a page."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

_CHECK = re.compile(r"@@ CHECK (.*?): (.*) \(\d+ s\)$")
_COMMIT = re.compile(r"@@ (commit .*)$")
_BOOTED = re.compile(r"@@ BOOTED \S+ (\S+) ?(\S*)$")
_NOT_RUN = "not run"
BEGIN, END = "<!-- hosts: begin -->\n", "<!-- hosts: end -->\n"


@dataclass
class Findings:
    """The findings on one machine: its kernel, its security modules, each check's outcome."""

    release: str = ""
    modules: str = ""
    commit: str = ""
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
        elif match := _COMMIT.match(line):
            found.commit = match[1]
        elif match := _CHECK.search(line):
            found.outcomes[match[1]] = match[2]
        elif line.startswith("@@ NOTE "):
            found.notes.append(line.removeprefix("@@ NOTE "))
        found.ended |= line.startswith("@@ ENDED")
    return found


def read_page(page: Path) -> dict[str, Findings]:
    """Read what `make_tables` has written: machines that were not booted again stay in the page."""
    text = page.read_text().partition(BEGIN)[2].partition(END)[0]
    lines = [line[1:-1] for line in text.splitlines() if line.startswith("| ")]
    rows = [[cell.strip() for cell in line.split("|")] for line in lines]
    long = dict(re.findall(r"^(\d+)\. (.*)$", text, re.MULTILINE))
    middle = next((at for at, row in enumerate(rows) if row[0] == ""), len(rows))
    found = {row[0]: Findings(*row[1:]) for row in rows[1:middle]}
    for check, *cells in rows[middle + 1 :]:
        for machine, cell in zip(found.values(), cells, strict=True):
            if cell != _NOT_RUN:
                note = re.search(r"\((\d+)\)$", cell)
                machine.outcomes[check] = long[note[1]] if note else cell
    return found


def join(before: Findings, now: Findings) -> Findings:
    """Keep what was not checked again (`--short`: the engines), and the commit of that."""
    kept = {name: found for name, found in before.outcomes.items() if name not in now.outcomes}
    if kept:
        now.commit = f"{now.commit}; engines: {before.commit.rpartition('engines: ')[2]}"
        now.outcomes |= kept
    return now


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
    lines = ["| machine | kernel | security modules | measured at |", "|---|---|---|---|"]
    lines += [
        f"| {name} | {one.release} | {one.modules} | {one.commit} |" for name, one in found.items()
    ]
    names = dict.fromkeys(check for one in found.values() for check in one.outcomes)
    long: dict[str, int] = {}
    lines += ["", f"| | {' | '.join(found)} |", f"|---|{'---|' * len(found)}"]
    for check in names:
        cells = [shorten(one.outcomes.get(check, _NOT_RUN), long) for one in found.values()]
        lines.append(f"| {check} | {' | '.join(cells)} |")
    lines += ["", *(f"{number}. {text}" for text, number in long.items())]
    return "\n".join(lines) + "\n"


def shorten(outcome: str, long: dict[str, int]) -> str:
    """Return the first words, and the number of the full text below."""
    if len(outcome) <= 40:
        return outcome
    start = re.split("[:;]", outcome)[0][:40]
    return f"{start} ({long.setdefault(outcome, len(long) + 1)})"
