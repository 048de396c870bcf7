"""Measure scans beside published figures: precision, recall, F1, time and memory.

Truth is strace of the same workloads as tests/scan/servers.py. Published are Confine 2023
(application-specific), sysfilter, and SysPart's main phase, as in SysPart's and Confine's papers;
B-Side gives a mean over 557 executables, Chestnut's is of its authors' comparison.

Comparable: the order of size, for the same programs. Not comparable: those are other builds, with
fewer libraries and older C libraries; Debian's redis has libsystemd, libstdc++ and lua. Their truth
is other workloads. Calls that the vDSO answers (time, gettimeofday, clock_gettime) are in every
scan, since it may be missing, and in no trace: they count neither way here.
"""

from __future__ import annotations

import os
import resource
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bench.paired import compare
from seclatch.model.scan import ScannedProgram
from seclatch.scan.image.rootfs_reader import Rootfs
from seclatch.scan.image.scan_target import ScanTarget
from seclatch.scan.reach.scan_program import scan_program
from seclatch.scan.summary.summary_cache import SummaryCache
from tests.latch.oci import SCRIPTS
from tests.scan import servers

PUBLISHED = {  # Confine 2023, sysfilter, SysPart
    "nginx": ("131", "115", "108"),
    "apache2": ("132", "98", "92"),
    "memcached": ("126", "104", "98"),
    "lighttpd": ("-", "99", "95"),
    "redis": ("116", "-", "-"),
}
BY_MEANS = "means: B-Side 43 (F1 0.81, 557 executables), sysfilter 95, Chestnut 271, Confine 78 s"
NEUTRAL = {"time", "gettimeofday", "clock_gettime"}


@dataclass(frozen=True)
class Row:
    """One program: found and issued calls, seconds of processor time, and peak memory in MB."""

    name: str
    found: set[str]
    made: set[str]
    cold: float
    warm: float
    memory: int

    @property
    def precision(self) -> float:
        return len(self._right) / len(self.found - NEUTRAL)

    @property
    def recall(self) -> float:
        return len(self._right) / len(self.made - NEUTRAL)

    @property
    def f1(self) -> float:
        return 2 * self.precision * self.recall / (self.precision + self.recall)

    @property
    def _right(self) -> set[str]:
        return self.found & self.made - NEUTRAL

    def __str__(self) -> str:
        confine, sysfilter, syspart = PUBLISHED[self.name]
        return (
            f"{self.name:<10} {len(self.found):5}  {len(self.made):5}  {self.precision:5.2f}  "
            f"{self.recall:6.3f}  {self.f1:4.2f}  {self.cold:6.2f}  {self.warm:6.2f}  "
            f"{self.memory:4}  {confine:>7}  {sysfilter:>9}  {syspart:>7}"
        )


def report(runs: int) -> None:
    with servers.root() as directory, tempfile.TemporaryDirectory() as folder:
        print(
            "program    calls strace  prec.  recall    F1  cold s  warm s    MB  Confine  "
            "sysfilter  SysPart"
        )
        rows = [row(name, directory, Path(folder) / name) for name in servers.servers()]
        print(*rows, sep="\n")
        print(f"{'mean F1':<10} {statistics.fmean(each.f1 for each in rows):.2f}")
        print(BY_MEANS)
        against_objdump(directory, min(runs, 5))


def row(name: str, directory: Path, folder: Path) -> Row:
    """Measure one server; its scans run in a process of their own, to measure its memory."""
    server = servers.servers()[name]
    folder.mkdir()
    read, write = os.pipe()
    if not os.fork():
        cold, _ = timed(directory, folder / "cache", server.path)
        warm, _ = timed(directory, folder / "cache", server.path)
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        os.write(write, f"{cold} {warm} {most}".encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as answer:
        cold, warm, memory = map(float, answer.read().split())
    os.wait()
    _, found = timed(directory, folder / "cache", server.path)
    made = servers.trace(server, directory, folder)
    return Row(name, {each.name for each in found.calls}, made, cold, warm, int(memory))


def timed(directory: Path, cache: Path, path: str) -> tuple[float, ScannedProgram]:
    rootfs = Rootfs(directory)
    began = time.process_time()
    found = scan_program(rootfs, SummaryCache(cache), ScanTarget(path, "benchmark"))
    took = time.process_time() - began
    rootfs.close()
    return took, found


def against_objdump(directory: Path, runs: int) -> None:
    """Compare a whole scan of nginx without a cache with disassembling the same files."""
    nginx = "/usr/sbin/nginx"
    rootfs = Rootfs(directory)
    found = scan_program(rootfs, SummaryCache(None), ScanTarget(nginx, "benchmark"))
    rootfs.close()
    files = [str(directory / each.lstrip("/")) for each in found.files]
    pair = compare(
        "objdump -d, scan (nginx)",
        lambda n: ["objdump", "-d", *files],
        lambda n: [
            str(SCRIPTS / "seclatch"),
            "scan",
            "--no-cache",
            "--entrypoint",
            nginx,
            str(directory),
        ],
        runs,
    )
    print(pair.row())
