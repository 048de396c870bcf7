"""A pytest plugin that sums the counts of all sweeps, from all workers, at the end of a run."""

from __future__ import annotations

from collections import Counter

import pytest

PROPERTY = "sweep"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print at how many points a tracer was killed, and how the starts ended."""
    reports = [
        each for outcome in ("passed", "failed") for each in terminalreporter.getreports(outcome)
    ]
    total: Counter[str] = Counter()
    for report in reports:
        for name, counts in report.user_properties:
            if name == PROPERTY and report.when == "call":
                total.update(counts["counts"])
    if total:
        words = ", ".join(f"{count} {word}" for word, count in sorted(total.items()))
        points = total.total() - total["whole"]
        terminalreporter.write_line(f"tests/sweep: a tracer was killed at {points} points: {words}")
