"""`make soak-probes`: a long recording of a container with exec probes, in minutes.

python -m tests.soak.probes [--processes 100000] [--workers 2]

A probe every few seconds makes 100,000 processes in about five hours; here they follow each other
at once, at idle priority: the recorder has its own. Its memory and its file must not grow with
them. Prints a table, and returns 1 if they do. Runs in a mount and a pid namespace of its own, as
`make soak` does.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from seclatch.model.recording.recording import Recording
from seclatch.recording.files import recording_file
from tests.engines.image import make_rootfs
from tests.latch.oci import Bundle, Runtime, make_bundle, running, wait_until
from tests.record.test_container import recording
from tests.soak.__main__ import NAMESPACES

CRUN = Runtime("crun", latched=False)
PROBE = ("/bin/sh", "-c", "/bin/true; exit 0")
ROUNDS = 10
FEW = 60
"""Sessions that show how many processes one has, and that suffice for folding what has ended."""
SETTLED = 4.0
"""Seconds after which ended sessions are folded: at this rate thousands end in a moment."""
MOST_GROWTH = {"resident": 1.3, "size": 1.3}
"""From the first tenth to the end. Memory grows by the numbers of the last 200,000 segments that
were dropped, by which late events are recognised: some 12 MB, and no more from then on."""


@dataclass(frozen=True)
class Measure:
    """The recorder after a number of sessions: memory in kB, the saved file in bytes."""

    sessions: int
    processes: int
    seconds: float
    resident: int
    size: int

    def __str__(self) -> str:
        return (
            f"| {self.sessions:,} | {self.processes:,} | {self.seconds:.0f} s "
            f"| {self.resident / 1024:.1f} MB | {self.size / 1000:.1f} kB |"
        )


def main() -> int:
    """Record all; return 0 if each session was counted and nothing grew."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.probes")
    parser.add_argument("--processes", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.inside:
        shell = ["unshare", "-mp", "--fork", "--kill-child", "--mount-proc", "sh", "-c", NAMESPACES]
        again = [sys.executable, "-m", "tests.soak.probes", "--inside", *sys.argv[1:]]
        return subprocess.run([*shell, "sh", *again], check=False).returncode
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        root = make_rootfs(folder / "root", {})
        args = ["/bin/sleep", "1000000"]
        bundle = make_bundle(folder / "bundle", root, args, seccomp=None)
        bundle.config["linux"].pop("cgroupsPath", None)
        with running(CRUN, bundle) as pid:
            return soak(bundle, pid, options.processes, options.workers)


def soak(bundle: Bundle, pid: int, processes: int, workers: int) -> int:
    """Record rounds of sessions, and measure after each."""
    path = bundle.path / "probes.json"
    measures: list[Measure] = []
    print("| sessions | processes | after | recorder's memory | file |\n|---|---|---|---|---|")
    with recording(path, pid) as recorder:
        began, first_pid = time.monotonic(), last_pid()
        failed = run_probes(bundle, FEW, workers)
        each = (last_pid() - first_pid) / FEW
        share = max(2 * FEW, round(processes / each / ROUNDS))
        for number in range(1, ROUNDS + 1):
            failed += run_probes(bundle, share - FEW - (FEW if number == 1 else 0), workers)
            time.sleep(SETTLED)
            failed += run_probes(bundle, FEW, workers)
            made, seconds = last_pid() - first_pid, time.monotonic() - began
            measures.append(measure(recorder.pid, path, share * number, made, seconds))
            print(measures[-1], flush=True)
        recorder.send_signal(signal.SIGINT)
        recorder.wait(120)
    return judge(measures, failed, recording_file.read_recording(path))


def run_probes(bundle: Bundle, count: int, workers: int) -> list[str]:
    """Run exec sessions one after the other in each worker; return what failed."""
    failed: list[str] = []

    def work(number: int) -> None:
        for _ in range(number, count, workers):
            words = ["chrt", "--idle", "0", *CRUN.argv("exec", bundle.id, *PROBE)]
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            if done.returncode:
                failed.append(f"{done.returncode}: {done.stderr}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failed


def last_pid() -> int:
    """Return the last pid of this pid namespace: nearly how many processes it has had."""
    return int(Path("/proc/sys/kernel/ns_last_pid").read_text())


def measure(recorder: int, path: Path, sessions: int, processes: int, seconds: float) -> Measure:
    """Have the recording saved so far, and measure."""
    path.unlink(missing_ok=True)
    os.kill(recorder, signal.SIGUSR1)
    wait_until(path.exists, "the recording so far", seconds=120)
    line = next(
        line
        for line in Path(f"/proc/{recorder}/status").read_text().splitlines()
        if line.startswith("VmRSS:")
    )
    return Measure(sessions, processes, seconds, int(line.split()[1]), path.stat().st_size)


def judge(measures: list[Measure], failed: list[str], found: Recording) -> int:
    """Print what is wrong; return the status."""
    wrong = failed[:10]
    first, last = measures[0], measures[-1]
    for name, most in MOST_GROWTH.items():
        if getattr(last, name) > most * getattr(first, name):
            wrong.append(f"{name}: grew from {getattr(first, name)} to {getattr(last, name)}")
    counted = sum(session.count for session in found.sessions if session.joined)
    lost = found.lost.events + found.lost.calls + found.lost.processes
    if abs(counted - last.sessions) > lost:
        wrong.append(f"{counted} sessions recorded of {last.sessions}")
    print(f"{lost} events, calls or processes lost, as the recording says")
    print(f"{counted:,} sessions in {len(found.processes)} kept processes: {len(wrong)} wrong")
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
