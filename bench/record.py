"""Measure tracing a command's system calls: seclatch record beside strace, perf, bpftrace.

Every tool runs the same work in turn, run after run, and also runs `true` alone: that is its fixed
cost, reported separately and subtracted. The rest, tracer and traced together, is divided by what
the work costs untraced. A tool that fails is named and left out.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.paired import CONTAINER
from bench.start import default_like, make_rootfs
from seclatch.system import bpf
from tests.latch.oci import SCRIPTS, make_bundle

Words = list[str]
# Names of recorders' programs at sys_enter: the present one, and that of before it was written in
# C.
RECORDERS = {"count_call", "count_entry", "sys_enter", "enter_call", "end_check"}
PATIENCE = 600.0
"""Seconds to wait for the end of another recorder."""
NOTHING = ["/bin/true"]
# What its parent has taken of the CPU so far, in ns (proc(5)), and the time.
CLOCK = ["/bin/sh", "-c", "read cpu rest < /proc/$PPID/schedstat; echo $(date +%s%N) $cpu"]
OURS = ("native", "seclatch record")
GETPPID = "1e6 getppid"
# Half a minute for a million calls: twice is enough where ratios are so large.
SLOW = ("strace -f -c", "perf trace -s", "bpftrace")
# strace lets the kernel skip other calls: here it sees forks, execs and exits alone.
FEW = "trace=%process"
FTRACE = Path(__file__).parent.parent / "tools" / "docs" / "ftrace"
BPFTRACE = "tracepoint:raw_syscalls:sys_enter { @[comm, args.id] = count(); }"


REDIS = """#!/bin/sh -e
cd {folder}
redis-server --port 0 --unixsocket {folder}/redis.sock --save "" --logfile log &
until redis-cli -s {folder}/redis.sock ping > /dev/null 2>&1; do sleep 0.02; done
redis-benchmark -s {folder}/redis.sock -q -n 100000 -t set,get > /dev/null
redis-cli -s {folder}/redis.sock shutdown nosave
wait
"""
TAR = os.environ.get("SECLATCH_BENCH_TAR", "/usr/share")
"""What is archived: in a guest whose root is a network file system, a folder in memory."""
# As once installed: pip compiles modules that an editable tree may leave uncompiled.
ENVIRONMENT = {name: os.environ[name] for name in os.environ.keys() - {"PYTHONDONTWRITEBYTECODE"}}


class ToolError(Exception):
    """A tool that failed, and how."""


@dataclass
class Cost:
    """CPU seconds (user and system, tracer and traced) and wall seconds, by run."""

    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)

    def add(self, words: Words) -> None:
        """Run once more; raise when the run fails."""
        began = time.perf_counter()
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                env=ENVIRONMENT,
            )
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            self.wall.append(time.perf_counter() - began)
            self.cpu.append(usage.ru_utime + usage.ru_stime)
            if process.returncode:
                errors.seek(0)
                raise ToolError(f"{describe(process.returncode)}: {errors.read()[-400:]!r}")

    def drop_last(self) -> None:
        """Forget the last run."""
        self.cpu.pop()
        self.wall.pop()


def refuse_other_recorders() -> None:
    """Wait while another recorder is attached: it slows all processes, also untraced ones.

    The ratio would look better than it is.
    """
    if not is_quiet(PATIENCE):
        sys.exit("bench record: another recorder is attached; try again when it has ended")


def is_quiet(seconds: float = 2) -> bool:
    """Return whether no recorder is attached within this time.

    The kernel frees the programs of a recorder that has exited after a grace period.
    """
    end = time.monotonic() + seconds
    while any(map(is_recorder, bpf.programs())):
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def is_recorder(identifier: int) -> bool:
    """Return whether a loaded program is a recorder's at sys_enter."""
    with contextlib.suppress(OSError):  # it is freed
        return bpf.read_program_name(identifier) in RECORDERS
    return False


def describe(status: int) -> str:
    """Describe how a process ended."""
    return f"killed by {signal.Signals(-status).name}" if status < 0 else f"status {status}"


def until(words: Words) -> tuple[float, float]:
    """Return the seconds until the command runs, which is CLOCK, and its parent's CPU seconds."""
    began = time.time_ns()
    done = subprocess.run(
        words, stdin=subprocess.DEVNULL, capture_output=True, env=ENVIRONMENT, check=False
    )
    if done.returncode:
        raise ToolError(f"{describe(done.returncode)}: {done.stderr[-400:]!r}")
    now, cpu = map(int, done.stdout.split())
    return (now - began) / 1e9, cpu / 1e9


def tools() -> dict[str, Callable[[Words], Words]]:
    """Return the available tools by name: from the work's words to the tool's command line."""
    found: dict[str, Callable[[Words], Words]] = {
        "native": lambda words: words,
        "seclatch record": lambda words: [
            str(SCRIPTS / "seclatch"),
            "record",
            "-q",
            "-o",
            "/dev/shm/seclatch-bench.json",
            "--",
            *words,
        ],
        "strace -f -c": lambda words: ["strace", "-f", "-c", "-o", "/dev/null", *words],
        "strace --seccomp-bpf": lambda words: [
            "strace",
            "-f",
            "--seccomp-bpf",
            "-e",
            FEW,
            "-c",
            "-o",
            "/dev/null",
            *words,
        ],
        "perf trace -s": lambda words: ["perf", "trace", "-s", "-o", "/dev/null", "--", *words],
        "ftrace events": lambda words: [str(FTRACE), "/dev/null", *words],
        "bpftrace": lambda words: [
            "bpftrace",
            "-q",
            "-e",
            BPFTRACE,
            "-c",
            "sh -c '" + " ".join(words) + "'",
        ],
    }
    programs = {"perf trace -s": "perf", "bpftrace": "bpftrace"}
    for name, program in programs.items():
        if problem := why_not(program):
            print(f"(without {name}: {problem})")
            del found[name]
    return found


def why_not(program: str) -> str:
    """Return why it cannot be used: it is missing, or cannot print its version."""
    if not shutil.which(program):
        return "not on this machine"
    done = subprocess.run([program, "--version"], capture_output=True, check=False)
    return f"`{program} --version`: {describe(done.returncode)}" if done.returncode else ""


def works(folder: Path) -> dict[str, Words]:
    """Return the works: system calls alone, a container's start, a compiler, many files."""
    bundle = make_bundle(
        folder / "bundle", make_rootfs(folder), ["/bin/true"], seccomp=default_like()
    )
    script = folder / "runs"
    script.write_text(
        "#!/bin/sh -e\nfor i in 1 2 3 4 5; do "
        f"runc run --bundle {bundle.path} {CONTAINER}-$i; done\n"
    )
    archive = folder / "archive"
    archive.write_text(f"#!/bin/sh -e\ntar -cf - {TAR} 2> /dev/null | cat > /dev/null\n")
    requests = folder / "requests"
    requests.write_text(REDIS.format(folder=folder))
    for each in (script, archive, requests):
        each.chmod(0o755)
    source = Path(__file__).parent.parent / "native" / "trace.c"
    compiler = shutil.which("gcc", path="/usr/bin") or "gcc"
    return {
        GETPPID: [str(folder / "rootfs/bin/loop")],
        "runc run, 5 times": [str(script)],
        "gcc -O2 -c": [compiler, "-O2", "-D_GNU_SOURCE", "-c", "-o", "/dev/null", str(source)],
        f"tar of {TAR}": [str(archive)],
        **({"redis-benchmark": [str(requests)]} if shutil.which("redis-server") else {}),
    }


class Measurement:
    """What each tool cost at each work, and how long it delays a command's start."""

    def __init__(self, folder: Path, names: Iterable[str]) -> None:
        self.watchers = {name: watch for name, watch in tools().items() if name in names}
        self.works = {"(nothing)": NOTHING, **works(folder)}
        self.costs: dict[tuple[str, str], Cost] = {}
        self.starts: dict[str, list[tuple[float, float]]] = {}

    def run(self, runs: int) -> None:
        """Run everything once more than requested: the first time warms up."""
        for n in range(-1, runs):
            for work in self.works:
                for tool in turn(work, list(self.watchers), n):
                    self._try(tool, work, n)

    def _try(self, tool: str, work: str, n: int) -> None:
        try:
            self._watch(tool, work, n)
        except ToolError as error:
            if tool in OURS:
                raise
            print(f"(without {tool}: {work}: {error})", flush=True)
            del self.watchers[tool]

    def _watch(self, tool: str, work: str, n: int) -> None:
        cost = self.costs.setdefault((work, tool), Cost())
        refuse_other_recorders()
        cost.add(self.watchers[tool](self.works[work]))
        while not is_quiet():  # another one began meanwhile
            cost.drop_last()
            refuse_other_recorders()
            cost.add(self.watchers[tool](self.works[work]))
        if work == "(nothing)":
            self.starts.setdefault(tool, []).append(until(self.watchers[tool](CLOCK)))
        if n < 0:
            cost.cpu.clear()
            cost.wall.clear()

    def read_start(self, tool: str) -> tuple[float, float]:
        """Return the milliseconds until the command runs, more than untraced; and those of CPU."""
        own, native = ([wall for wall, _ in self.starts[each]] for each in (tool, "native"))
        cpu = statistics.median(cpu for _, cpu in self.starts[tool])
        return statistics.median(pairwise(own, native)) * 1e3, cpu * 1e3


def measure(runs: int, folder: Path, names: Iterable[str]) -> None:
    """Print a row a work and tool."""
    done = Measurement(folder, names)
    done.run(runs)
    watchers = list(done.watchers)[1:]
    print(f"{'':<24} {'':<16} {'CPU':>8} {'wall':>8}   to native, medians of {runs}")
    for work in list(done.works)[1:]:
        for tool in watchers:
            cpu, wall = (ratio(done.costs, work, tool, kind) for kind in ("cpu", "wall"))
            print(f"{work:<24} {tool:<16} {cpu:8.2f} {wall:8.2f}", flush=True)
    for tool in watchers:
        nothing = (done.costs["(nothing)", each].wall for each in (tool, "native"))
        fixed = statistics.median(pairwise(*nothing)) * 1e3
        begun, spent = done.read_start(tool)
        print(
            f"{'fixed start and end':<24} {tool:<16} {fixed:8.0f} ms, "
            f"{begun:.0f} ms of them until the command runs ({spent:.0f} ms of CPU)"
        )
    print(f"load {os.getloadavg()[0]:.1f}")


def turn(work: str, watchers: list[str], n: int) -> list[str]:
    """Return the tools of turn n in their order; slow ones get no warm-up."""
    if work != "(nothing)" and n not in (0, 1):
        watchers = [tool for tool in watchers if tool not in SLOW]
    return watchers if n % 2 else watchers[::-1]


def ratio(costs: dict[tuple[str, str], Cost], work: str, tool: str, kind: str) -> float:
    """Return the median of (tool's cost - its fixed cost) / (native cost - its fixed cost)."""

    def net(tool: str) -> list[float]:
        return pairwise(getattr(costs[work, tool], kind), getattr(costs["(nothing)", tool], kind))

    return statistics.median(
        ours / native for ours, native in zip(net(tool), net("native"), strict=False)
    )


def pairwise(one: Sequence[float], other: Sequence[float]) -> list[float]:
    """Return the differences run by run."""
    return [a - b for a, b in zip(one, other, strict=False)]


def report(runs: int) -> None:
    """Print the table; a sixth of the runs is enough, each has five works under each tool."""
    with tempfile.TemporaryDirectory(prefix="seclatch-bench-") as folder:
        measure(max(5, runs // 6), Path(folder), tools())


def report_ours(runs: int) -> None:
    """Print the rows of `seclatch record` alone: under four minutes."""
    with tempfile.TemporaryDirectory(prefix="seclatch-bench-") as folder:
        measure(max(5, runs // 4), Path(folder), OURS)


if __name__ == "__main__":
    report(int(sys.argv[1]))
