"""Measure what watching costs, by each way: calls that are not filtered, allowed, denied.

A loop of one call, with and without the kernel programs attached, in turn; the ratio is the median
of the pairs'. Then the watcher itself: its CPU time at a hundred denials a second, its memory at a
hundred thousand and at as many as there can be. Another watcher or recorder on the machine would
slow down both of a pair.
"""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from bench.record import refuse_other_recorders
from seclatch.errors import SeclatchError
from seclatch.watch.sources.watch_programs import WatchPrograms, WatchWay, load_programs
from tests.latch.oci import SCRIPTS

CASES = {"unfiltered": 300_000, "allowed": 300_000, "denied": 300_000, "flagged": 2_000}
"""Calls of a run; each flagged denial becomes an audit line, too."""

_RATE_SECONDS = 15.0
_WARM_SECONDS = 4.0


def report(runs: int) -> None:
    """Print the tables."""
    refuse_other_recorders()
    with tempfile.TemporaryDirectory() as folder:
        loop = Path(folder) / "denied_loop"
        source = Path(__file__).with_name("denied_loop.c")
        subprocess.run(["gcc", "-O2", "-static", "-o", loop, source], check=True)
        print(f"{'way':<9} {'case':<11} {'ns':>8} {'watched':>8}  {'ratio':>6}  (quartiles)")
        for way in WatchWay:
            report_way(loop, way, runs)
        report_watcher(loop)


def report_way(loop: Path, way: WatchWay, runs: int) -> None:
    """Print a row for each case, or why there is none."""
    try:
        load_programs(way).close()
    except SeclatchError as error:
        print(f"{way.value:<9} not here: {error}")
        return
    for case, count in CASES.items():
        pairs = [measure_pair(loop, case, count, way) for _ in range(max(runs // 3, 5))]
        ratios = sorted(watched / plain for plain, watched in pairs)
        plain, watched = (statistics.median(column) for column in zip(*pairs, strict=True))
        quarter = len(ratios) // 4
        print(
            f"{way.value:<9} {case:<11} {plain:8.1f} {watched:8.1f}  "
            f"{statistics.median(ratios):6.3f}  "
            f"({ratios[quarter]:.3f} - {ratios[-1 - quarter]:.3f}, n={len(ratios)})"
        )


def measure_pair(loop: Path, case: str, count: int, way: WatchWay) -> tuple[float, float]:
    """Run the loop without and with the programs."""
    plain = run_loop(loop, case, count)
    programs = load_programs(way)
    try:
        return plain, run_loop(loop, case, count)
    finally:
        close(programs)


def close(programs: WatchPrograms) -> None:
    """Detach, and wait until the kernel has."""
    programs.close()
    time.sleep(0.05)


def run_loop(loop: Path, case: str, count: int) -> float:
    """Return nanoseconds a call."""
    done = subprocess.run([loop, case, str(count)], capture_output=True, text=True, check=True)
    return float(done.stdout)


def report_watcher(loop: Path) -> None:
    """Print CPU and memory of the command, at two rates and at full speed."""
    for name, count in (("100/s", "100"), ("100,000/s", "100000"), ("storm", "100000")):
        cpu, memory, seen = watch_while([str(loop), "denied", count], slow=name != "storm")
        print(f"watcher at {name:<9} CPU {cpu:5.2f} %  memory {memory / 1024:.0f} MiB  {seen}")


def watch_while(words: list[str], *, slow: bool) -> tuple[float, int, str]:
    """Run `words` again and again under a watch; return CPU per cent, peak KiB, and the rate."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        command = [str(SCRIPTS / "seclatch"), "watch", "--quiet", "--no-engines", "-o", str(log)]
        watcher = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        while not log.exists() or not log.stat().st_size:
            time.sleep(0.05)
        subprocess.run(words, stdout=subprocess.DEVNULL, check=True)
        time.sleep(_WARM_SECONDS)  # the first denial has it compile the engines' defaults
        before, began, count = read_cpu(watcher.pid), time.monotonic(), 0
        while time.monotonic() - began < _RATE_SECONDS:
            turn = time.monotonic()
            subprocess.run(words, stdout=subprocess.DEVNULL, check=True)
            count += int(words[-1])
            time.sleep(max(0.0, 1 - (time.monotonic() - turn)) if slow else 0)
        took = time.monotonic() - began
        cpu = (read_cpu(watcher.pid) - before) / took * 100
        memory = read_peak(watcher.pid)
        watcher.send_signal(signal.SIGTERM)
        watcher.wait()
        return cpu, memory, f"{count / took:.0f} denials/s"


def read_cpu(pid: int) -> float:
    """Return the CPU seconds of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def read_peak(pid: int) -> int:
    """Return the largest resident size of a process in KiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    return 0
