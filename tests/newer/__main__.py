"""`make test-newer`: the project's tests with the engines and runtimes of a newer Debian suite.

python -m tests.newer [--run runtimes|latch|engines|all|TEST,…] [--suite testing] [--table FILE]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.conftest import PROGRAMS, Compiler
from tests.newer.enter import PROJECT, run_in_root
from tests.newer.results import Results, read_results, write_table
from tests.newer.root import make_root

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "seclatch/newer"
LOGS = PROJECT / "build/newer"

RUNTIMES = (
    "tests/newer/test_helpers.py",
    "tests/latch/test_boot.py",
    "tests/latch/test_same_filter.py",
    "tests/latch/test_hooks.py",
)
ENGINES = (
    "tests/engines/test_latch.py",
    "tests/engines/test_install_docker.py",
    "tests/engines/test_install_podman.py",
    "tests/engines/test_install_containerd.py",
    "tests/engines/test_pods.py",
)
SELECTIONS = {
    "runtimes": RUNTIMES,
    "latch": ("tests/newer/test_helpers.py", "tests/latch"),
    "engines": ENGINES,
    "all": ("tests/newer/test_helpers.py", "tests/latch", *ENGINES),
}


def main() -> int:
    """Make the root, run the selection in it, write the table."""
    options = parse()
    if os.geteuid():
        raise SystemExit("newer: mounting a root directory needs root")
    suite, root = find_root(options.suite)
    chosen = SELECTIONS.get(options.run) or options.run.split(",")
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / f"{options.run.replace('/', '-')}.xml"
    with tempfile.TemporaryDirectory(prefix="seclatch-newer-") as folder:
        programs = Path(folder)
        compile_programs(programs)
        python = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        status = run_in_root(root, programs, [*python, f"--junitxml={log}", *chosen])
        versions = programs / "versions"
        run_in_root(root, programs, ["sh", "-c", f"{LIST_VERSIONS} >{versions}"])
        lines = list(write_table(read_logs(), versions.read_text(), suite))
    print("\n".join(lines))
    if options.table:
        replace_table(options.table, lines)
    return status


def find_root(suites: list[str]) -> tuple[str, Path]:
    """Make the root of the first suite whose packages are installable together at present.

    They may not be, for days at a time.
    """
    for suite in suites:
        try:
            return suite, make_root(CACHE, suite)
        except RuntimeError as error:
            print(f"newer: not with Debian {suite}: {error}", flush=True)
    raise SystemExit(f"newer: no packages in any of {', '.join(suites)}")


def read_logs() -> Results:
    """Read the results of this and earlier runs, perhaps of other tests; the newest a module."""
    results: Results = {}
    for log in sorted(LOGS.glob("*.xml"), key=lambda path: path.stat().st_mtime):
        results |= read_results(log)
    return results


LIST_VERSIONS = """\
for each in runc crun docker podman containerd conmon; do
  echo "$each $($each --version | head -n 1 | grep -o '[0-9][0-9.]*[0-9][^ ,]*' | head -n 1)"
done"""


def parse() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.newer")
    parser.add_argument(
        "--run", default="runtimes", help="runtimes, latch, engines, all, or tests with commas"
    )
    parser.add_argument("--suite", action="append", help="of Debian; further ones stand in for it")
    parser.add_argument("--table", type=Path, help="a page to write the results into")
    options = parser.parse_args()
    options.suite = options.suite or ["testing", "unstable"]
    return options


def compile_programs(folder: Path) -> None:
    """Compile the C targets here: the root has no compiler. Some need the flags of other tests."""
    compiler = Compiler(folder)
    for source in sorted(PROGRAMS.glob("*.c")):
        try:
            compiler(source.stem)
        except subprocess.CalledProcessError:
            (folder / source.stem).unlink(missing_ok=True)


def replace_table(page: Path, lines: list[str]) -> None:
    """Put the table between the page's marks."""
    begin, end = "<!-- newer: begin -->\n", "<!-- newer: end -->\n"
    text = page.read_text()
    head, _, rest = text.partition(begin)
    _, _, tail = rest.partition(end)
    if not rest or (not tail and not rest.endswith(end)):
        raise SystemExit(f"newer: {page} has no marks {begin.strip()} and {end.strip()}")
    page.write_text(f"{head}{begin}{chr(10).join(lines)}\n{end}{tail}")


if __name__ == "__main__":
    os.chdir(PROJECT)
    sys.exit(main())
