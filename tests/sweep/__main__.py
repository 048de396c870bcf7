"""`make sweep`: kill the tracer at every point of every kind of start; print the counts as a table.

python -m tests.sweep [--only WORDS] [--write FILE] [--front DIRECTORY]
"""

from __future__ import annotations

import argparse
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.conftest import Compiler
from tests.latch.oci import tracers, wait_until
from tests.sweep.starts import KINDS, make_root
from tests.sweep.sweep import Result, Sweep

HEADER = """\
| method | caller | start | calls of the tracers | points | bound | refused | dead | other |
|---|---|---|---|---|---|---|---|---|
"""


def main() -> int:
    """Sweep the chosen kinds; 1 if one start ended otherwise than it may."""
    options = parse()
    kinds = [kind for kind in KINDS if options.only in str(kind)]
    folder = Path(tempfile.mkdtemp(prefix="seclatch-sweep-"))
    folder.chmod(0o755)
    (folder / "programs").mkdir()
    compiler = Compiler(folder / "programs")
    root, killer = make_root(folder / "root", compiler), compiler("kill_tracer")
    results = []
    for kind in kinds:
        began = time.monotonic()
        front = options.front and options.front / f"seclatch-{kind.runtime}"
        sweep = Sweep(kind, folder, root, killer, front)
        results.append(sweep.run(sweep.points() + sweep.points_from_load()))
        wait_until(lambda: not tracers(), "the tracers to end")
        print(f"{row(results[-1])} {time.monotonic() - began:.0f} s", flush=True)
    shutil.rmtree(folder)
    faults = [fault for result in results for fault in result.faults]
    print("\n".join(faults))
    if options.write:
        write(options.write, results)
    return 1 if faults else 0


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.sweep")
    parser.add_argument("--only", default="", help="kinds whose name has this: `gate, user`")
    parser.add_argument("--write", type=Path, help="replace the table of this page")
    parser.add_argument("--front", type=Path, help="where other builds of the latch are")
    return parser.parse_args()


def row(result: Result) -> str:
    """One line of the table."""
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


def write(page: Path, results: list[Result]) -> None:
    """Replace what is under this machine's heading, down to the next heading."""
    words = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    commit = subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
    total = sum(result.points for result in results)
    text = (
        f"## {platform.machine()}\n\nCommit {commit}, {time.strftime('%Y-%m-%d')}, "
        f"Linux {platform.release()}: {total:,} points, "
        f"{sum(len(result.faults) for result in results)} faults.\n\n"
        + HEADER
        + "".join(row(result) + "\n" for result in results)
    )
    sections = page.read_text().split("\n## ")
    kept = [each for each in sections if not each.startswith(platform.machine())]
    part = page.with_suffix(".part")
    part.write_text("\n## ".join([*kept, text.removeprefix("## ")]))
    part.rename(page)


if __name__ == "__main__":
    sys.exit(main())
