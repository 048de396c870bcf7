"""Measure a start by the methods without privileges, against the bare runtime.

The same profile, with which the bare runtime starts too; the tracer stops the runtime's init at
each call until it has loaded its filter.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.paired import CONTAINER, HEADER, compare
from bench.start import OPTIONS, default_like, make_rootfs
from tests.latch.oci import CGROUP2_ONLY, Runtime, is_hybrid, make_bundle


def report(runs: int) -> None:
    """Print all rows; crun runs in a mount namespace without cgroup v1."""
    print(HEADER, flush=True)
    measure("runc", runs)
    if not is_hybrid():
        measure("crun", runs)
        return
    words = [sys.executable, "-m", "bench.gate", "crun", str(runs)]
    os.spawnvp(os.P_WAIT, "unshare", ["unshare", "-m", "sh", "-c", CGROUP2_ONLY, "sh", *words])


def measure(name: str, runs: int) -> None:
    with tempfile.TemporaryDirectory(prefix="seclatch-bench-") as folder:
        path = Path(folder)
        root = make_rootfs(path)
        for road, no_new_privs in (("gate", False), ("hold", True)):
            bundle = make_bundle(
                path / road,
                root,
                ["/bin/true"],
                seccomp=default_like(),
                no_new_privileges=no_new_privs,
            )

            def run(latched: bool, bundle: Any = bundle) -> Any:
                runtime = Runtime(name, latched=latched, options=OPTIONS[name])
                mode = ["env", f"SECLATCH_MODE={'gate' if latched else 'plain'}"]
                return lambda n: [
                    *mode,
                    *runtime.argv("run", "--bundle", bundle.path, f"{CONTAINER}-{n}"),
                ]

            print(
                compare(f"{name} run true ({road})", run(False), run(True), runs).row(), flush=True
            )


if __name__ == "__main__":
    measure(sys.argv[1], int(sys.argv[2]))
