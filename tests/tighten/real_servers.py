"""`make traffic`: tighten seven real servers under traffic; print requests, failures and pauses.

python -m tests.tighten.real_servers [--only NAME] [--starts 3] [--root DIRECTORY] [--write FILE]

Each server starts under a filter that kills for what is injected. A profile of its running phase is
learnt from a short training, and put on while other requests are made, by a client that stays
connected and by two that connect for each; then once more, with a default action that kills.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.debian.server import initialise, unpacked
from tests.tighten.result_page import describe_run, write_section
from tests.tighten.tighten_server import Tightened, started, tighten_under_traffic
from tests.tighten.traffic import AFTER, BEFORE, DURING
from tests.tighten.traffic_programs import MAKERS, TrafficProgram

HEADING = "Real servers, under traffic"
HEADER = """\
| server | denied calls | allowed | processes | threads | requests before | during | after | \
connections after | failed | pause: median | longest |
|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|
"""
ANSWERS = {"errno": "fail", "kill": "kill"}


def join(results: Sequence[Tightened]) -> str:
    """Return one line of the table: a server and an answer, over all starts."""
    first, last = results[0], results[-1]
    counts = {
        phase: sum(each.count(phase) for each in results) for phase in (BEFORE, DURING, AFTER)
    }
    pauses = [pause for each in results for pause in each.pauses]
    cells = [
        first.title,
        ANSWERS[first.answer],
        str(last.calls),
        str(sum(each.processes for each in results)),
        str(sum(each.threads for each in results)),
        *(f"{count:,}" for count in counts.values()),
        f"{sum(each.connections for each in results):,}",
        str(sum(len(each.failed) for each in results)),
        f"{statistics.median(pauses):.1f} ms",
        f"{max(pauses):.1f} ms",
    ]
    return f"| {' | '.join(cells)} |"


def run_server(program: TrafficProgram, root: Path, starts: int) -> list[list[Tightened]]:
    """Start a server so often; return what happened by answer."""
    found = []
    for _ in range(starts):
        with (
            tempfile.TemporaryDirectory(prefix="sl-") as folder,
            started(program, root) as (server, bundle),
        ):
            found.append([*tighten_under_traffic(program, server, bundle, Path(folder))])
    return [list(each) for each in zip(*found, strict=True)]


@contextmanager
def find_root(programs: Sequence[TrafficProgram], kept: Path | None) -> Iterator[Path]:
    """Unpack the packages, or take a root directory that an earlier run has left."""
    if kept and kept.exists():
        yield kept
        return
    with unpacked([package for each in programs for package in each.packages]) as root:
        if any(each.program.name == "postgres" for each in programs):
            initialise(root)
        if kept:
            subprocess.run(["cp", "-a", root, kept], check=True)
        yield root


def main() -> int:
    """Tighten the chosen servers; return 1 if a request failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.tighten.real_servers")
    parser.add_argument("--only", default="", help="servers whose name has this")
    parser.add_argument("--starts", type=int, default=3, help="of each server")
    parser.add_argument("--root", type=Path, help="keep the root directory there")
    parser.add_argument("--write", type=Path, help="replace the table in that page")
    options = parser.parse_args()
    chosen = [make() for name, make in MAKERS.items() if options.only in name]
    rows, failed = [], 0
    with find_root(chosen, options.root) as root:
        for program in chosen:
            for results in run_server(program, root, options.starts):
                rows.append(join(results))
                print(rows[-1], flush=True)
                failures = [each for result in results for each in result.failed]
                failed += len(failures)
                print("".join(f"{each}\n" for each in failures), end="", flush=True)
    if options.write:
        text = f"{describe_run()}: {failed} failed requests in {options.starts} starts of each.\n\n"
        write_section(options.write, HEADING, text + HEADER + "".join(f"{row}\n" for row in rows))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
