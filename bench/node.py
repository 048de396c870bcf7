"""Measure the node's recorder: resident memory and CPU time by the number of containers."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.latch.node import RecordedNode, recorded_node

NUMBERS = (1, 50, 200)
_IDLE_SECONDS = 10
_TICK = os.sysconf("SC_CLK_TCK")


def report(runs: int) -> None:
    """Print a row for each number of containers; `runs` is not used."""
    with tempfile.TemporaryDirectory(prefix="seclatch-bench-") as folder:
        rootfs = make_rootfs(Path(folder))
        print(f"{'containers':>10} {'recorded':>9} {'MB':>6} {'CPU s a start':>14} {'idle CPU':>9}")
        for number in NUMBERS:
            with recorded_node(Path(folder) / str(number)) as node:
                print(measure(node, rootfs, number), flush=True)


def make_rootfs(folder: Path) -> Path:
    """Make a root directory with a busybox."""
    root = folder / "rootfs"
    for name in ("bin", "proc", "dev", "sys"):
        (root / name).mkdir(parents=True)
    shutil.copy("/usr/bin/busybox", root / "bin/sleep")
    return root


def measure(node: RecordedNode, rootfs: Path, number: int) -> str:
    """Start so many containers, four at a time, and return the row."""
    assert node.process
    pid = node.process.pid
    bundles = [node.bundle(f"c{n}", rootfs, "/bin/sleep", "10000") for n in range(number)]
    before = read_cpu(pid)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(node.begin, bundles))
    while len(node.files()) < int(str(node.ask("status")["recordings"])):
        time.sleep(0.1)
    started = read_cpu(pid)
    time.sleep(_IDLE_SECONDS)
    idle = (read_cpu(pid) - started) / _IDLE_SECONDS
    recorded = node.ask("status")["recordings"]
    with ThreadPoolExecutor(4) as pool:
        row = (
            f"{number:>10} {recorded:>9} {read_resident(pid):>6.1f} "
            f"{(started - before) / number:>14.3f} {idle:>8.1%}"
        )
        list(pool.map(node.end, bundles))
    return row


def read_cpu(pid: int) -> float:
    """Return the CPU seconds of a process and of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return sum(map(int, fields[11:15])) / _TICK


def read_resident(pid: int) -> float:
    """Return a process's resident memory in MB, pages that it shares included."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)
