"""Create OCI bundles for real runtimes: a busybox root and a config.json."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

BUSYBOX = shutil.which("busybox")

# crun refuses a hybrid cgroup v1 host, and neither runtime needs cgroups here: a private mount
# namespace shows it an empty unified hierarchy.
CGROUP2 = 'umount -R /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup; exec "$@"'


def config(seccomp: dict[str, Any], args: list[str]) -> dict[str, Any]:
    return {
        "ociVersion": "1.0.2",
        "process": {
            "user": {"uid": 0, "gid": 0},
            "args": args,
            "env": ["PATH=/bin"],
            "cwd": "/",
            "noNewPrivileges": False,
        },
        "root": {"path": "rootfs", "readonly": True},
        "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
        "linux": {
            "namespaces": [{"type": kind} for kind in ("pid", "mount", "ipc", "uts")],
            "seccomp": seccomp,
        },
    }


def make_bundle(path: Path, seccomp: dict[str, Any], args: list[str]) -> Path:
    assert BUSYBOX, "install busybox-static"
    (path / "rootfs/bin").mkdir(parents=True)
    for name in ("proc", "dev", "sys", "tmp"):
        (path / "rootfs" / name).mkdir()
    shutil.copy(BUSYBOX, path / "rootfs/bin/busybox")
    (path / "config.json").write_text(json.dumps(config(seccomp, args)))
    return path


def wait_for_filter(pid: int) -> None:
    """Wait until the filter is loaded and no tracer is attached.

    `run -d` may return before crun has loaded the filter, and, under the latch, before its tracer
    has exited.
    """
    status = Path(f"/proc/{pid}/status")
    done = {"Seccomp:\t2", "TracerPid:\t0"}
    while not done <= set(status.read_text().splitlines()):  # bounded by the test's own time limit
        time.sleep(0.01)


@contextmanager
def running(runtime: str, tmp: Path, seccomp: dict[str, Any]) -> Iterator[int]:
    """Start a container under the plain `runtime` and yield its program's pid."""
    container = Container(runtime, tmp, seccomp)
    try:
        status, log = container.start()
        assert status == 0, log
        pid = int((tmp / "pid").read_text())
        wait_for_filter(pid)
        yield pid
    finally:
        container.delete()


class Container:
    """One container of a plain runtime, in a directory of its own."""

    def __init__(self, runtime: str, tmp: Path, seccomp: dict[str, Any]) -> None:
        if shutil.which(runtime) is None:
            pytest.fail(f"{runtime} is not installed")
        self.tmp = tmp
        self.bundle = make_bundle(tmp / "bundle", seccomp, ["/bin/busybox", "sleep", "600"])
        self.name = f"seclatch-{runtime}-{os.getpid()}-{tmp.name}"
        options = ["--cgroup-manager=disabled"] if runtime == "crun" else []
        unshared = ["unshare", "-m", "sh", "-c", CGROUP2, "sh"]
        self.base = [*unshared, runtime, "--root", str(tmp / "root"), *options]

    def start(self) -> tuple[int, str]:
        """Run `run -d`; return its exit status and its output."""
        options = ["--pid-file", str(self.tmp / "pid"), "-b", str(self.bundle), self.name]
        with (self.tmp / "log").open("w+") as log:
            run = [*self.base, "run", "-d", *options]
            done = subprocess.run(
                run, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False
            )
            log.seek(0)
            return done.returncode, log.read()

    def delete(self) -> None:
        """Delete the container, also one whose start failed; a missing container is no error."""
        subprocess.run(
            [*self.base, "delete", "-f", self.name],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
