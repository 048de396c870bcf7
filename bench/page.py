"""Measure what a report costs, beside jq, which only reads the same recording."""

from __future__ import annotations

import tempfile
from pathlib import Path

from bench.paired import compare
from seclatch.recording.files import recording_file
from tests.latch.oci import SCRIPTS
from tests.unit.report.starts import crowd


def report(runs: int) -> None:
    """Print a row a size: whole runs of both programs, and how large the page is."""
    with tempfile.TemporaryDirectory(prefix="seclatch-bench-") as folder:
        print(f"{'':<28} {'jq':>12} {'report':>12}   {'ratio':>6}  (quartiles)")
        for processes in (30, 10_000):
            file, page = Path(folder, "x.json"), Path(folder, "x.html")
            recording_file.write_recording(file, crowd(processes))
            pair = compare(
                f"{processes:,} processes",
                lambda _, file=file: ["jq", ".duration", str(file)],
                lambda _, file=file, page=page: [
                    str(SCRIPTS / "seclatch"),
                    "report",
                    "-o",
                    str(page),
                    str(file),
                ],
                max(5, runs // 6),
            )
            print(f"{pair.row()}  page {page.stat().st_size / 1000:.0f} kB")
