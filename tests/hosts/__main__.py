"""`make test-hosts`: latch, apply, record, ps, explain and doctor on real kernels, in QEMU.

python -m tests.hosts [--machine NAME]… [--short] [--page docs/hosts.md]
python -m tests.hosts --from-logs --page docs/hosts.md
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from tests.arm64.packages import Apt
from tests.hosts.kernels import Kernel, make_kernel
from tests.hosts.machine import Machine
from tests.hosts.report import Findings, join, read_console, read_page, write_page
from tests.newer.results import describe_commit

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "seclatch/hosts"
PROJECT = Path(__file__).parents[2]
LOGS = PROJECT / "build/hosts"


@dataclass(frozen=True)
class Setting:
    """A kernel, and how it is booted."""

    suite: str
    words: tuple[str, ...] = ()
    engines: bool = True


SETTINGS = {
    "bullseye": Setting("bullseye"),
    "bookworm": Setting("bookworm"),
    "trixie": Setting("trixie"),
    "testing": Setting("testing"),
    "jammy": Setting("jammy", engines=False),
    "focal": Setting("focal", engines=False),
    "trixie-cgroup1": Setting("trixie", ("seclatch.cgroup=1",)),
    "trixie-lockdown": Setting("trixie", ("lockdown=confidentiality",)),
    "trixie-no-lsm": Setting("trixie", ("apparmor=0",), engines=False),
}


def main() -> int:
    """Boot one after the other; return 1 if anything failed in any."""
    options = parse()
    names = [] if options.from_logs else options.machine or list(SETTINGS)
    LOGS.mkdir(parents=True, exist_ok=True)
    extra = unpack_extra() if names else CACHE
    kernels: dict[str, Kernel] = {}
    found: dict[str, Findings] = {}
    for name in names:
        setting = SETTINGS[name]
        if setting.suite not in kernels:
            kernels[setting.suite] = make_kernel(CACHE, setting.suite)
        machine = make_machine(name, setting, kernels[setting.suite], extra, options.short)
        found[name] = read_console(watch(machine, options.seconds))
    if options.page:
        before, now = read_page(options.page), read_logs(found) | found
        every = before | {name: join(before.get(name, one), one) for name, one in now.items()}
        write_page(options.page, {name: every[name] for name in SETTINGS if name in every})
    bad = [f"{name}: {line}" for name, one in found.items() for line in one.problems]
    print("\n".join(bad or [f"hosts: {len(found)} machines, nothing failed"]))
    return 1 if bad else 0


def make_machine(name: str, setting: Setting, kernel: Kernel, extra: Path, short: bool) -> Machine:
    """Make the machine; selected checks and settings go onto the kernel's command line."""
    engines = setting.engines and not short
    words = [f"seclatch.project={PROJECT}", f"seclatch.python={sys.executable}"]
    words += ["seclatch.run=engines"] if engines else []
    return Machine(name, kernel, extra, (*words, *setting.words))


def read_logs(found: dict[str, Findings]) -> dict[str, Findings]:
    """Read earlier results of the other machines: one may be tried at a time."""
    logs = {name: LOGS / f"{name}.log" for name in SETTINGS if name not in found}
    return {
        name: read_console(log.read_text().splitlines())
        for name, log in logs.items()
        if log.exists()
    }


def watch(machine: Machine, seconds: int) -> Iterator[str]:
    """Boot it; write its console into a file, and print its reports."""
    with (LOGS / f"{machine.name}.log").open("w") as log:
        for line in chain([f"@@ {describe_commit()}"], machine.boot(seconds)):
            print(line, file=log, flush=True)
            if line.startswith("@@"):
                print(f"{machine.name}: {line[3:]}", flush=True)
            yield line


def unpack_extra() -> Path:
    """Unpack AppArmor's parser and rules, which this host need not have, over the guest's root."""
    apt = Apt(CACHE / "apt-extra", ("amd64",))
    apt.update()
    target = CACHE / "extra"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    subprocess.run(["dpkg-deb", "-x", apt.single("apparmor"), target], check=True)
    for name in ("sbin", "lib"):  # links into /usr here
        if (target / name).is_dir():
            shutil.copytree(target / name, target / "usr" / name, dirs_exist_ok=True, symlinks=True)
            shutil.rmtree(target / name)
    return target


def parse() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.hosts")
    parser.add_argument("--machine", choices=list(SETTINGS), action="append")
    parser.add_argument("--short", action="store_true", help="without the engines")
    parser.add_argument("--from-logs", action="store_true", help="boot none; read earlier runs")
    parser.add_argument("--page", type=Path, help="a page to write the results into")
    parser.add_argument("--seconds", type=int, default=1200, help="at most, for one machine")
    return parser.parse_args()


if __name__ == "__main__":
    os.chdir(PROJECT)
    sys.exit(main())
