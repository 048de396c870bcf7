"""Convert pytest's results into a table for people."""

from __future__ import annotations

import datetime
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

Results = dict[str, Counter[str]]
"""Test module → how many of its tests passed, failed, were skipped."""


def read_results(log: Path) -> Results:
    """Read pytest's own report (--junitxml)."""
    results: Results = {}
    for case in ElementTree.parse(log).iter("testcase"):
        module = case.get("classname", "").removeprefix("tests.").replace(".", "/")
        kinds = {child.tag for child in case}
        word = "skipped" if "skipped" in kinds else "passed"
        if kinds & {"failure", "error"}:
            word = "failed"
        results.setdefault(module, Counter())[word] += 1
    return results


def write_table(results: Results, versions: str, suite: str) -> Iterator[str]:
    """Yield the versions, and a row for each module."""
    pairs = [line.split(maxsplit=1) for line in versions.splitlines()]
    named = ", ".join(" ".join(pair) for pair in pairs if len(pair) == 2)
    yield f"Debian {suite}: {named}. Linux {read_release()}, {describe_commit()}."
    yield ""
    yield "| tests | passed | failed | skipped |"
    yield "|---|---|---|---|"
    total: Counter[str] = Counter()
    for module, counts in sorted(results.items()):
        total += counts
        yield f"| {module} | {counts['passed']} | {counts['failed']} | {counts['skipped']} |"
    yield f"| together | {total['passed']} | {total['failed']} | {total['skipped']} |"


def read_release() -> str:
    """Return the kernel's own version, without the builder's suffix."""
    return Path("/proc/sys/kernel/osrelease").read_text().split("-")[0].strip()


def describe_commit() -> str:
    """Return the commit and the day."""
    shown = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    return f"commit {shown}, {datetime.datetime.now(datetime.UTC):%Y-%m-%d}"
