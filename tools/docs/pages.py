"""Pages with places that a script fills.

Each place ends at `<!-- end -->`: `<!-- made: NAME -->` is filled by a function, lines of `<!--
run: COMMAND -->` by the commands, one after the other in a directory of the page's own.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

_PLACE = re.compile(
    r"((?:<!-- made: [\w-]+ -->\n)|(?:<!-- run: [^\n]* -->\n)+).*?(?=<!-- end -->)", re.DOTALL
)
_MARK = re.compile(r"^<!-- (?:made|run): (.*) -->$", re.MULTILINE)

# Values that vary between runs and machines, and are not the subject of a page.
_VARIABLE = [
    (re.compile(r"\b[0-9a-f]{12,64}\b"), "ID"),
    (re.compile(r"\bfilter [0-9a-f]{8}\b"), "filter ID"),  # it differs with libseccomp's version
    (re.compile(r"0x[0-9a-f]+"), "ADDRESS"),
    # Go's scheduler and signals decide whether runc issues these.
    (re.compile(r"\b(?:futex|rt_sigreturn|nanosleep|sched_yield|tgkill|madvise) "), ""),
    (re.compile(r"\b\d[\d,.]* (?:µs|ms|s)\b"), "TIME"),
    (re.compile(r"\d[\d,.]*"), "N"),
    (re.compile(r"[ \t]+"), " "),
    (re.compile(r"[█▉▊▋▌▍▎▏]+"), "BAR"),
]

_SCHEDULER = {"9", "14", "15", "24", "28", "35", "131", "186", "202", "234", "281"}
"""The same by number, on x86-64."""


def pages() -> list[Path]:
    """Return the pages that have such places."""
    return sorted(page for page in DOCS.rglob("*.md") if _PLACE.search(page.read_text()))


def _name(match: re.Match[str]) -> str:
    """Return the maker's name, or the commands, a line each."""
    return "\n".join(_MARK.findall(match[1]))


def content(page: Path) -> dict[str, str]:
    """Return the present contents of each place, by name or commands."""
    return {
        _name(match): match[0].removeprefix(match[1]) for match in _PLACE.finditer(page.read_text())
    }


def fill(page: Path, made: dict[str, str]) -> None:
    """Write the new contents into their places; leave the others."""

    def put(match: re.Match[str]) -> str:
        name = _name(match)
        return match[1] + made[name] if name in made else match[0]

    page.write_text(_PLACE.sub(put, page.read_text()))


def stable(text: str) -> str:
    """Remove values that may vary; the rest must be equal."""
    return "\n".join(map(_stable_line, text.splitlines()))


def _stable_line(line: str) -> str:
    if re.fullmatch(r"(\d+ ){8,}\d+", line):  # numbers of system calls
        return " ".join(number for number in line.split() if number not in _SCHEDULER)
    for pattern, word in _VARIABLE:
        line = pattern.sub(word, line)
    return line.strip()
