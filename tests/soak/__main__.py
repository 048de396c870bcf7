"""`make soak`: latched starts of every kind, many at a time; then a check for leftovers.

python -m tests.soak [--starts 10000] [--workers 40] [--front DIRECTORY]

Runs in a mount and a pid namespace of its own, so that every process and mount there is its own.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import queue
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import Compiler
from tests.soak.leftovers import Leftovers
from tests.sweep.starts import KINDS, Kind, Stage, make_root

# crun refuses hybrid hosts, so there is cgroup v2 alone. The shell is pid 1 and reaps the orphans.
NAMESPACES = """
mount --make-rprivate / && mount -t tmpfs -o mode=1777 tmpfs /tmp && mount -t tmpfs tmpfs /run
umount -R /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup && "$@" & wait $!
"""


def main() -> int:
    """Start all; return 0 if each was bound as it should be and nothing is left."""
    options = parse()
    if not options.inside:
        shell = ["unshare", "-mp", "--fork", "--kill-child", "--mount-proc", "sh", "-c", NAMESPACES]
        again = [sys.executable, "-m", "tests.soak", "--inside", *sys.argv[1:]]
        return subprocess.run([*shell, "sh", *again], check=False).returncode
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="soak-") as folder,
        stages(Path(folder), options) as ready,
    ):
        warm_up(ready)
        before = Leftovers.find(Path(folder))
        wrong, counts = soak(ready, options.starts, options.workers)
        after = Leftovers.find_settled(Path(folder), before)
    for kind, count in sorted(counts.items(), key=lambda each: str(each[0])):
        print(f"{count:6} {kind}")
    seconds = time.monotonic() - began
    print(
        f"{counts.total()} starts, {options.workers} at a time, {seconds:.0f} s: {len(wrong)} wrong"
    )
    print("\n".join(wrong[:10] + after.report(before)))
    return 1 if wrong or after.differs(before) else 0


def parse() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak")
    parser.add_argument("--starts", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=40)
    parser.add_argument("--front", type=Path, help="where other builds of the latch are")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


@contextlib.contextmanager
def stages(folder: Path, options: argparse.Namespace) -> Iterator[list[Stage]]:
    """Make a directory for each kind of start; `exec` kinds get a running container."""
    folder.chmod(0o755)
    (folder / "programs").mkdir()
    compiler = Compiler(folder / "programs")
    root, killer = make_root(folder / "root", compiler), Path()
    made: list[Stage] = []
    with contextlib.ExitStack() as stack:
        for kind in KINDS:
            front = options.front and options.front / f"seclatch-{kind.runtime}"
            made.append(Stage(kind, folder / str(kind), root, killer, front, hybrid=False))
        yield [stack.enter_context(each.ready()) for each in made]


def warm_up(ready: list[Stage]) -> None:
    """Do a first start, which leaves files by intent, such as crun's cache of filters."""
    wrong = [each for stage in ready if (each := stage.start())]
    if wrong:
        raise SystemExit("\n".join(wrong))


def soak(ready: list[Stage], starts: int, workers: int) -> tuple[list[str], Counter[Kind]]:
    """Run the starts in this many threads, in an order that mixes the kinds."""
    order = [ready[n % len(ready)] for n in range(starts)]
    random.Random(14).shuffle(order)
    todo: queue.SimpleQueue[Stage] = queue.SimpleQueue()
    for stage in order:
        todo.put(stage)
    wrong: list[str] = []

    def work() -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                stage = todo.get_nowait()
                try:
                    problem = stage.start()
                except subprocess.TimeoutExpired as hung:
                    problem = f"{stage.kind}: hung: {hung}"
                if problem:
                    wrong.append(problem)

    threads = [threading.Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        time.sleep(10)
        print(
            f"{starts - todo.qsize()} started, {len(wrong)} wrong, load {os.getloadavg()[0]:.0f}",
            file=sys.stderr,
            flush=True,
        )
    return wrong, Counter(stage.kind for stage in order)


if __name__ == "__main__":
    sys.exit(main())
