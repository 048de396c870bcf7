"""Measure the merge of 10,000 nodes' counts: time, and memory of all processes together."""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
from pathlib import Path

from seclatch.model.arch import Arch
from seclatch.model.recording.origin import ContainerImage
from seclatch.model.recording.recording import (
    RecordedArgument,
    RecordedCalls,
    RecordedHost,
    Recording,
)
from seclatch.model.syscall import load_syscalls
from seclatch.recording.files.recording_file import write_recording

NODES = 10_000
_STAGES = ("runtime", "init", "filtered-init", "program", "exec-program")
_MERGE = """
import resource, sys, threading, time
from pathlib import Path
from seclatch.recording.files.merge_files import merge_files
peak, own = 0, f"/proc/{__import__('os').getpid()}"
def watch():
    global peak
    while True:
        pids = [own, *(f"/proc/{pid}" for pid in Path(f"{own}/task").parent.joinpath(
            f"task/{own.split('/')[-1]}/children").read_text().split())]
        total = 0
        for each in pids:
            try:
                text = Path(f"{each}/smaps_rollup").read_text()
            except OSError:
                continue
            total += int(text.split("Pss:")[1].split()[0])
        peak = max(peak, total)
        time.sleep(0.25)
threading.Thread(target=watch, daemon=True).start()
began = time.perf_counter()
merged = merge_files(tuple(sorted(Path(sys.argv[1]).iterdir())))
took = time.perf_counter() - began
usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
cpu = sum(one.ru_utime + one.ru_stime for one in usage)
runs = [one.runs for one in merged.values()]
print(f"{took:.1f} s, {cpu:.1f} s of CPU, {peak / 1024:.0f} MB, runs {runs}")
"""


def make_counts(number: int) -> Recording:
    """Return the counts of one node: 750 calls of a stage, 250 values of arguments."""
    chosen = random.Random(number)
    names = sorted(load_syscalls(Arch.X86_64).numbers.items(), key=lambda item: item[1])
    calls = [
        RecordedCalls(
            process=None,
            stage=stage,
            arch="x86_64",
            number=value,
            name=name,
            count=chosen.randrange(1, 10**6),
            runs=chosen.randrange(1, 50),
        )
        for stage in _STAGES
        for name, value in chosen.sample(names, 150)
    ]
    arguments = [
        RecordedArgument(
            stage="program",
            arch="x86_64",
            name=chosen.choice(["ioctl", "socket", "fcntl", "clone", "prctl"]),
            index=chosen.randrange(3),
            value=chosen.randrange(100),
            count=chosen.randrange(1, 9999),
        )
        for _ in range(600)
    ]
    return Recording(
        seclatch="1",
        complete=True,
        runs=50,
        commands=[],
        started="2026-01-01T00:00:00+00:00",
        duration=60.0,
        hosts=[RecordedHost(kernel=f"6.{number % 20}", arch="x86_64")],
        runtimes=["runc"],
        containers=[],
        sessions=[],
        processes=[],
        events=[],
        calls=calls,
        denials=[],
        arguments=arguments,
        images=[ContainerImage(digest=f"sha256:{'a' * 64}")],
        container_names=["web"],
    )


def report(runs: int) -> None:
    """Print a row for each run, at most three."""
    with tempfile.TemporaryDirectory() as folder:
        for number in range(NODES):
            write_recording(Path(folder) / f"{number}.json.gz", make_counts(number))
        sizes = [path.stat().st_size for path in Path(folder).iterdir()]
        print(f"{NODES} files of {min(sizes)} to {max(sizes)} bytes")
        for _ in range(min(3, runs)):
            subprocess.run([sys.executable, "-c", _MERGE, folder], check=True)
