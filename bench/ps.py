"""Measure `seclatch ps` on a host with 2,000 processes under a filter.

Beside common alternatives: a loop over /proc with grep (which shows no program, profile, container
or origin), and `ps -eLo` (which does not show seccomp). And how long a target is kept from running
while its filters are read: from the kernel (not at all) and by a stop.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.paired import Pair, compare
from seclatch.process.kernel.kernel_filters import read_kernel
from seclatch.system.read_filters import read_filters

PROGRAMS = Path(__file__).parents[1] / "tests" / "programs"
PS = [sys.executable, "-m", "seclatch", "ps"]
LOOP = "for f in /proc/[0-9]*/task/*/status; do grep -E '^(Name|Seccomp)' $f; done 2>/dev/null; :"
COUNT = 2000


@contextmanager
def many(folder: Path) -> Iterator[int]:
    """Start COUNT sleeping processes under one filter."""
    program = folder / "many"
    subprocess.run(["gcc", "-O1", "-static", "-o", program, PROGRAMS / "many.c"], check=True)
    with subprocess.Popen([program, str(COUNT)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stdout.readline() == "ready\n"
        yield process.pid
        process.kill()


def report(runs: int) -> None:
    runs = max(3, runs // 6)
    with tempfile.TemporaryDirectory() as folder, many(Path(folder)) as pid:
        print(f"with {COUNT} more processes {'first':>17} {'second':>12}   ratio")
        pairs: list[Pair] = [
            compare("grep in a loop, ps", lambda _: ["sh", "-c", LOOP], lambda _: PS, runs),
            compare(
                "ps -eLo, seclatch ps", lambda _: ["ps", "-eLo", "pid,lwp,args"], lambda _: PS, runs
            ),
            compare("ps --no-filters", lambda _: PS, lambda _: [*PS, "--no-filters"], runs),
        ]
        for pair in pairs:
            print(pair.row())
        read_kernel(pid)
        for name, read in (("kernel", read_kernel), ("ptrace", read_filters)):
            times = []
            for _ in range(20):
                began = time.perf_counter()
                read(pid)
                times.append(time.perf_counter() - began)
            print(f"one process's filters, {name:<8} {statistics.median(times) * 1e3:9.2f} ms")
