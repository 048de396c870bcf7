"""Measure what the latch costs: a container's start, and each system call after the exec."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.paired import CONTAINER, HEADER, Pair, compare
from tests.latch.oci import CGROUP2_ONLY, Bundle, Runtime, is_hybrid, make_bundle


def default_like() -> dict[str, Any]:
    """Return a long real allowlist with which the bare runtime starts too: Podman's."""
    rules = json.loads(Path("/usr/share/containers/seccomp.json").read_text())["syscalls"]
    names = {name for rule in rules if rule["action"] == "SCMP_ACT_ALLOW" for name in rule["names"]}
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "syscalls": [{"names": sorted(names), "action": "SCMP_ACT_ALLOW"}],
    }


def make_rootfs(folder: Path) -> Path:
    root = folder / "rootfs"
    for name in ("bin", "proc", "dev", "sys"):
        (root / name).mkdir(parents=True)
    shutil.copy("/usr/bin/busybox", root / "bin/true")
    source = Path(__file__).with_name("loop.c")
    subprocess.run(["gcc", "-O2", "-static", "-o", root / "bin/loop", source], check=True)
    return root


def start_cost(name: str, bundle: Bundle, runs: int) -> Pair:
    def run(latched: bool) -> Any:
        runtime = Runtime(name, latched=latched, options=OPTIONS[name])
        return lambda n: runtime.argv("run", "--bundle", bundle.path, f"{CONTAINER}-{n}")

    return compare(f"{name} run true", run(False), run(True), runs)


def call_cost(name: str, bundle: Bundle, runs: int) -> Pair:
    """Return seconds per million calls, measured inside: the same filter, no tracer."""
    times: tuple[list[float], list[float]] = ([], [])
    for n in range(runs):
        for latched in (False, True) if n % 2 else (True, False):
            runtime = Runtime(name, latched=latched, options=OPTIONS[name])
            done = runtime("run", "--bundle", bundle.path, f"{CONTAINER}-loop-{n}-{latched}")
            times[latched].append(float(done.stdout))
    return Pair(f"{name}: 1e6 getppid inside", *times)


def report(runs: int) -> None:
    """Print all rows; crun runs in a mount namespace without cgroup v1, which it refuses.

    Wrapping each call instead would add the wrapper's time to both sides, and flatter the ratio.
    """
    print(HEADER, flush=True)
    measure("runc", runs)
    if is_hybrid():
        again = [sys.executable, "-m", "bench.start", "crun", str(runs)]
        subprocess.run(["unshare", "-m", "sh", "-c", CGROUP2_ONLY, "sh", *again], check=True)
    else:
        measure("crun", runs)


def measure(name: str, runs: int) -> None:
    with tempfile.TemporaryDirectory(prefix="seclatch-bench-") as folder:
        path = Path(folder)
        root = make_rootfs(path)
        true = make_bundle(path / "true", root, ["/bin/true"], seccomp=default_like())
        print(start_cost(name, true, runs).row(), flush=True)
        loop = make_bundle(path / "loop", root, ["/bin/loop"], seccomp=default_like())
        print(call_cost(name, loop, max(10, runs // 5)).row(), flush=True)


# Without cgroup controllers of its own (version 1 has them on a hybrid host) crun makes no cgroup.
OPTIONS: dict[str, tuple[str, ...]] = {"runc": (), "crun": ("--cgroup-manager=disabled",)}

if __name__ == "__main__":
    measure(sys.argv[1], int(sys.argv[2]))
