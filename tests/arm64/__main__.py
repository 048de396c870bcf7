"""`make test-arm64`: boot, test, judge.

python -m tests.arm64 [--run checks|all|tighten|moments|sweep|programs|TEST,…] [--cpu MODEL]…
                      [--wheel FILE] [--moments N]
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.arm64 import ported
from tests.arm64.judge import Verdict, judge
from tests.arm64.machine import MODELS, Machine
from tests.arm64.project import PROJECT, make_project
from tests.arm64.system import System

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "seclatch/arm64"

ROOTLESS = ("podman", "uidmap")
WAIT_MOSTLY = ("tighten", "moments")


def main() -> int:
    """Make the guest, boot each model, print the results of each."""
    options = parse()
    programs = options.run == "programs"
    began = time.monotonic()
    with alone(CACHE):
        return make_and_run(options, programs, began)


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Lock the directory: a second run would write the same files, so it waits."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def make_and_run(options: argparse.Namespace, programs: bool, began: float) -> int:
    """Make what is not in the cache, boot, judge."""
    wanted = listed(options.run)
    kernel, base, overlay = choose_system(programs, wanted).make()
    say(began, "the guest's system is there")
    wheel = options.wheel or cross_build()
    say(began, f"the wheel is there: {wheel.name}")
    profiles = ported.make(CACHE / "ported") if programs else None
    project = make_project(CACHE, overlay, wheel, profiles)
    initramfs = CACHE / "initramfs"
    with initramfs.open("wb") as target:
        for part in (base, project):
            with part.open("rb") as source:
                shutil.copyfileobj(source, target, 1 << 20)
    say(began, "the project's part is there")
    words = (f"seclatch.run={options.run}", f"seclatch.moments={options.moments}")
    counts = options.clock == "instructions"
    machines = [
        Machine(model, kernel, initramfs, words=words, counts_instructions=counts)
        for model in options.cpu
    ]
    verdicts = run(machines, wanted, options)
    for verdict in verdicts:
        if not verdict.good:
            log = (options.logs / f"{verdict.model}.log").read_text().splitlines()
            print("\n".join(line for line in log if not line.startswith("@@ PASS")))
    say(began, "done")
    for verdict in verdicts:  # their counts end the output
        print("\n".join(verdict.lines()))
    return 0 if all(verdict.good for verdict in verdicts) else 1


def choose_system(programs: bool, wanted: Sequence[str]) -> System:
    """Return the guest's system with the packages that these tests need."""
    if programs:
        return System(CACHE, "programs", ported.PACKAGES)
    rootless = any(name.startswith("tests/engines/test_tighten.py") for name in wanted)
    return System(CACHE, "rootless", ROOTLESS) if rootless else System(CACHE)


def cross_build() -> Path:
    """Build this tree's wheel for arm64."""
    command = [sys.executable, PROJECT / "tools/wheels.py", "--output", CACHE / "dist", "aarch64"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return Path(done.stdout.splitlines()[-1])


def parse() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.arm64")
    parser.add_argument(
        "--run",
        default="checks",
        help="checks, all, tighten, moments, sweep, programs, or tests with commas",
    )
    parser.add_argument("--cpu", choices=list(MODELS), action="append")
    parser.add_argument(
        "--clock",
        choices=["host", "instructions"],
        help="what the guest's clock follows; instructions: its own, and waiting takes no time",
    )
    parser.add_argument("--moments", type=int, default=200, help="of each kind: --run moments")
    parser.add_argument("--wheel", type=Path, help="instead of one made of this tree")
    parser.add_argument("--seconds", type=int, default=1800, help="at most, for one machine")
    parser.add_argument("--logs", type=Path, default=Path("build/arm64"))
    options = parser.parse_args()
    options.cpu = options.cpu or list(MODELS)
    options.clock = options.clock or ("instructions" if options.run in WAIT_MOSTLY else "host")
    return options


def run(
    machines: Sequence[Machine], wanted: list[str], options: argparse.Namespace
) -> list[Verdict]:
    """Boot the machines side by side, each with its console in a file, and judge them."""
    options.logs.mkdir(parents=True, exist_ok=True)
    found: dict[str, Verdict] = {}

    def one(machine: Machine) -> None:
        lines = []
        with (options.logs / f"{machine.model}.log").open("w") as log:
            for line in machine.boot(options.seconds):
                lines.append(line)
                print(line, file=log, flush=True)
                if line.startswith("@@"):
                    print(f"{machine.model:>10}: {line[3:]}", flush=True)
        found[machine.model] = judge(machine.model, lines, wanted)

    threads = [threading.Thread(target=one, args=(machine,)) for machine in machines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [found[machine.model] for machine in machines]


def listed(selection: str) -> list[str]:
    """List the tests that must report, named as pytest names them here."""
    command = [sys.executable, "-m", "tests.arm64.guest.run", selection, "--list"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    names = [line for line in done.stdout.splitlines() if "::" in line]
    if done.returncode or not names:
        raise SystemExit(f"arm64: which tests to run: {done.stdout}{done.stderr}")
    return names


def say(began: float, what: str) -> None:
    """Print a line of progress."""
    print(f"arm64: {time.monotonic() - began:4.0f} s: {what}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
