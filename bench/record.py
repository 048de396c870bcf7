"""What watching a command's system calls costs: seclatch record beside strace, perf, bpftrace.

Every tool runs the same work in turn, run after run, and also runs `true` alone: that is its fixed
cost, told apart and taken off. What remains, watcher and watched together, is divided by what the
work costs unwatched.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench.start import default_like, make_rootfs
from tests.latch.oci import SCRIPTS, make_bundle

Words = list[str]
NOTHING = ["/bin/true"]
GETPPID = "1e6 getppid"
# Half a minute for a million calls: twice is enough where the ratio is some hundred.
SLOW = ("strace -f -c", "perf trace -s")
BPFTRACE = "tracepoint:raw_syscalls:sys_enter { @[comm, args.id] = count(); }"


@dataclass
class Cost:
    """CPU seconds (user and system, watcher and watched) and wall seconds, by run."""

    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)

    def add(self, words: Words) -> None:
        """Run once more; a run that fails measures nothing."""
        began = time.perf_counter()
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors
            )
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            self.wall.append(time.perf_counter() - began)
            self.cpu.append(usage.ru_utime + usage.ru_stime)
            if process.returncode:
                errors.seek(0)
                raise RuntimeError(f"{words}: {process.returncode}: {errors.read()!r}")


def tools() -> dict[str, Callable[[Words], Words]]:
    """The watchers that are here, by name: from the work's words to their own."""
    found: dict[str, Callable[[Words], Words]] = {
        "native": lambda words: words,
        "seclatch record": lambda words: [
            str(SCRIPTS / "seclatch"), "record", "-q", "-o", "/dev/shm/seclatch-bench.json", "--",
            *words,
        ],
        "strace -f -c": lambda words: ["strace", "-f", "-c", "-o", "/dev/null", *words],
        "perf trace -s": lambda words: ["perf", "trace", "-s", "-o", "/dev/null", "--", *words],
        "bpftrace": lambda words: [
            "bpftrace", "-q", "-e", BPFTRACE, "-c", "sh -c '" + " ".join(words) + "'",
        ],
    }  # fmt: skip
    programs = {"strace -f -c": "strace", "perf trace -s": "perf", "bpftrace": "bpftrace"}
    for name, program in programs.items():
        if not shutil.which(program):
            print(f"(no {program} on this machine)")
            del found[name]
    return found


def works(folder: Path) -> dict[str, Words]:
    """What is watched: system calls alone, a container's start, a compiler, many files."""
    bundle = make_bundle(
        folder / "bundle", make_rootfs(folder), ["/bin/true"], seccomp=default_like()
    )
    script = folder / "runs"
    script.write_text(
        "#!/bin/sh -e\nfor i in 1 2 3 4 5; do "
        f"runc run --bundle {bundle.path} seclatch-bench-record-$i; done\n"
    )
    archive = folder / "archive"
    archive.write_text("#!/bin/sh -e\ntar -cf - /usr/share/doc | cat > /dev/null\n")
    for each in (script, archive):
        each.chmod(0o755)
    source = Path(__file__).parent.parent / "native" / "trace.c"
    compiler = shutil.which("gcc", path="/usr/bin") or "gcc"
    return {
        GETPPID: [str(folder / "rootfs/bin/loop")],
        "runc run, 5 times": [str(script)],
        "gcc -O2 -c": [compiler, "-O2", "-D_GNU_SOURCE", "-c", "-o", "/dev/null", str(source)],
        "tar of /usr/share/doc": [str(archive)],
    }


def measure(runs: int, folder: Path) -> None:
    """Print a row a work and tool."""
    watchers = tools()
    costs: dict[tuple[str, str], Cost] = {}
    work_list = {"(nothing)": NOTHING, **works(folder)}
    for n in range(-1, runs):
        for work, words in work_list.items():
            for tool in turn(work, list(watchers), n):
                cost = costs.setdefault((work, tool), Cost())
                cost.add(watchers[tool](words))
                if n < 0:
                    cost.cpu.clear()
                    cost.wall.clear()
    print(f"{'':<24} {'':<16} {'CPU':>8} {'wall':>8}   to native, medians of {runs}")
    for work in list(work_list)[1:]:
        for tool in list(watchers)[1:]:
            cpu, wall = (ratio(costs, work, tool, kind) for kind in ("cpu", "wall"))
            print(f"{work:<24} {tool:<16} {cpu:8.2f} {wall:8.2f}", flush=True)
    for tool in list(watchers)[1:]:
        fixed = pairwise(costs["(nothing)", tool].wall, costs["(nothing)", "native"].wall)
        print(f"{'fixed start and end':<24} {tool:<16} {statistics.median(fixed) * 1e3:8.0f} ms")


def turn(work: str, watchers: list[str], n: int) -> list[str]:
    """Who runs in turn n, and in which order."""
    if work == GETPPID and n not in (0, 1):
        watchers = [tool for tool in watchers if tool not in SLOW]
    return watchers if n % 2 else watchers[::-1]


def ratio(costs: dict[tuple[str, str], Cost], work: str, tool: str, kind: str) -> float:
    """Median over runs of (tool's cost - its fixed cost) / (native cost - its fixed cost)."""

    def net(tool: str) -> list[float]:
        return pairwise(getattr(costs[work, tool], kind), getattr(costs["(nothing)", tool], kind))

    return statistics.median(
        ours / native for ours, native in zip(net(tool), net("native"), strict=False)
    )


def pairwise(one: list[float], other: list[float]) -> list[float]:
    """Differences run by run."""
    return [a - b for a, b in zip(one, other, strict=False)]


def report(runs: int) -> None:
    """Print the table; a sixth of the runs is enough, each has five works under each tool."""
    with tempfile.TemporaryDirectory(prefix="seclatch-bench-") as folder:
        measure(max(5, runs // 6), Path(folder))


if __name__ == "__main__":
    report(int(sys.argv[1]))
