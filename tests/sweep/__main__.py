"""`make sweep`: kill the tracer at every point of every kind of start; print the counts as a table.

python -m tests.sweep [--only WORDS] [--write FILE] [--front DIRECTORY]
python -m tests.sweep --rows FILE --machine WORDS [--commit COMMIT] --write FILE
"""

from __future__ import annotations

import argparse
import platform
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.conftest import Compiler
from tests.latch.oci import tracers, wait_until
from tests.sweep.starts import KINDS, Kind, make_root
from tests.sweep.sweep import Result, Sweep
from tests.sweep.table import commit_of_latch, read_rows, row, write_section


def main() -> int:
    """Sweep the chosen kinds; return 1 if one start ended in a state that is not allowed."""
    options = parse()
    if options.rows:
        write_section(options.write, options.machine, read_rows(options.rows), options.commit)
        return 0
    results = sweep_all([kind for kind in KINDS if options.only in str(kind)], options.front)
    if options.write:
        write_section(
            options.write, options.machine, [row(each) for each in results], options.commit
        )
    return 1 if any(result.faults for result in results) else 0


def parse() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.sweep")
    parser.add_argument("--only", default="", help="kinds whose name has this: `gate-user`")
    parser.add_argument("--write", type=Path, help="replace this machine's table in that page")
    parser.add_argument("--front", type=Path, help="where other builds of the latch are")
    parser.add_argument(
        "--rows", type=Path, help="take them from a sweep's output, and run nothing"
    )
    machine = f"{platform.machine()}, Linux {platform.release()}"
    parser.add_argument("--machine", default=machine, help="heading of the table")
    parser.add_argument("--commit", default=commit_of_latch(), help="that the latch was built of")
    return parser.parse_args()


def sweep_all(kinds: list[Kind], fronts: Path | None) -> list[Result]:
    """Sweep one kind after the other, and print the counts."""
    folder = Path(tempfile.mkdtemp(prefix="seclatch-sweep-"))
    folder.chmod(0o755)
    (folder / "programs").mkdir()
    compiler = Compiler(folder / "programs")
    root, killer = make_root(folder / "root", compiler), compiler("kill_tracer")
    results = []
    for kind in kinds:
        began = time.monotonic()
        front = fronts and fronts / f"seclatch-{kind.runtime}"
        sweep = Sweep(kind, folder, root, killer, front)
        results.append(sweep.run(sweep.points() + sweep.points_from_load()))
        wait_until(lambda: not tracers(), "the tracers to end")
        print(f"{row(results[-1])} {time.monotonic() - began:.0f} s", flush=True)
        print("".join(f"{fault}\n" for fault in results[-1].faults), end="", flush=True)
    shutil.rmtree(folder)
    return results


if __name__ == "__main__":
    sys.exit(main())
