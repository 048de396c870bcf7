"""Write the tables of docs/tighten-results.md."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from pathlib import Path


def describe_run(other_machine: str = "") -> str:
    """Name machine, commit, date and load of a run that ends now."""
    words = ["git", "log", "-1", "--format=%h"]
    commit = subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
    machine = f"{platform.machine()}, Linux {platform.release()}, {os.cpu_count()} processors"
    load = f"load {os.getloadavg()[2]:.0f} over the last 15 minutes"
    return f"{other_machine or machine}, commit {commit}, {time.strftime('%Y-%m-%d')}, {load}"


def write_section(page: Path, heading: str, text: str) -> None:
    """Replace the section of this heading, or append it."""
    sections = page.read_text().rstrip("\n").split("\n## ")
    new = f"{heading}\n\n{text}".rstrip("\n")
    kept = [new if each.split("\n", 1)[0] == heading else each.rstrip("\n") for each in sections]
    if new not in kept:
        kept.append(new)
    part = page.with_suffix(".part")
    part.write_text("\n\n## ".join(kept) + "\n")
    part.rename(page)
