"""Write the listings and figures of docs/: `python -m tools.docs [NAME...]`; `--check` compares.

Without names it makes all but the measurements, which take minutes.
"""

from __future__ import annotations

import difflib
import sys
from pathlib import Path

from tools.docs import (  # noqa: F401
    figures,
    kubernetes,
    listings,
    registry,
    suites,
    tracers,
    watching,
)
from tools.docs.lab import Lab
from tools.docs.listings import fenced
from tools.docs.pages import content, fill, pages, stable

MAKERS = listings.MAKERS
"""All modules put theirs there."""
SLOW = frozenset(tracers.SLOW)
"""Not made again by a check."""


def make(lab: Lab, page: Path, name: str) -> str:
    """Make the contents of one place of a page: by its function, or by running its commands."""
    if name in MAKERS:
        return MAKERS[name](lab)
    lines: list[str] = []
    for command in name.splitlines():
        output = lab.run("sh", "-c", command, folder=lab.scratch(page.stem)).rstrip()
        lines += [f"$ {command}", *([output] if output else [])]
    return fenced("\n".join(lines))


def write(wanted: list[str]) -> None:
    """Write all places, or the named ones."""
    with Lab() as lab:
        for page in pages():
            chosen = [
                name
                for name in content(page)
                if name in wanted or (not wanted and name not in SLOW) or page.stem in wanted
            ]
            fill(
                page, {name: make(lab, page, name) for name in chosen if name not in SLOW or wanted}
            )


def stale() -> list[str]:
    """Report each place of a page that differs from the present output."""
    found = []
    with Lab(checking=True) as lab:
        for page in pages():
            for name, shown in content(page).items():
                if name not in SLOW:
                    found += difference(f"{page.name}: {name}", shown, make(lab, page, name))
    return found


def difference(label: str, shown: str, now: str) -> list[str]:
    """Compare two texts without the parts that vary from run to run."""
    old, new = stable(shown).splitlines(), stable(now).splitlines()
    lines = difflib.unified_diff(old, new, f"{label}, as shown", f"{label}, now", lineterm="", n=1)
    return list(lines)


if __name__ == "__main__":
    if "--check" in sys.argv:
        problems = stale()
        print("\n".join(problems))
        sys.exit(1 if problems else 0)
    write(sys.argv[1:])
