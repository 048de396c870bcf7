"""Hosts of each kind: cgroup layouts, as a mount namespace can show them, and privileges."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

LAYOUTS = {
    "unified": "mount -t cgroup2 none /sys/fs/cgroup",
    "unified, read-only": "mount -t cgroup2 none /sys/fs/cgroup && "
    "mount -o remount,bind,ro /sys/fs/cgroup",
    "version 1, read-only": "mount -t tmpfs none /sys/fs/cgroup && "
    "mkdir /sys/fs/cgroup/devices && mount -t cgroup -o devices none /sys/fs/cgroup/devices && "
    "mount -o remount,bind,ro /sys/fs/cgroup/devices",
    "none": "mount -t tmpfs none /sys/fs/cgroup && mount -o remount,bind,ro /sys/fs/cgroup",
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_cgroup_layouts(argv: Callable[..., list[str]], layout: Any) -> None:
    script = "mknod /tmp/kmsg c 1 11 && head -c1 /tmp/kmsg; grep -c cgroup /proc/mounts"
    inner = argv("sh", "-c", script)
    result = subprocess.run(
        ["unshare", "-m", "sh", "-c", LAYOUTS[layout] + ' && exec "$@"', "sh", *inner],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    assert "Operation not permitted" in result.stderr, "nothing guards the devices"
    assert int(result.stdout) >= 1


# Modules are loaded before: another user may be unable to read their directory.
AS_NOBODY = """
import os
import seclatch.cli.main, seclatch.cli.run, seclatch.runtime.run_container
os.setgroups([]), os.setgid(65534), os.setuid(65534)
seclatch.cli.main.main()
"""


@pytest.mark.parametrize("rootfs", [["--rootfs", "/"], []], ids=["given", "cached"])
def test_without_root(rootfs: Path, tmp_path: Path) -> None:
    (tmp_path / ".cache").mkdir(mode=0o700)
    result = subprocess.run(
        [sys.executable, "-c", AS_NOBODY, "run", *rootfs, "true"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"HOME": str(tmp_path)},
    )
    assert result.returncode == 125
    assert "CAP_SYS_ADMIN in the initial user namespace" in result.stderr
    assert "sudo" in result.stderr


def test_root_of_a_user_namespace_only(argv: Callable[..., list[str]]) -> None:
    result = subprocess.run(
        ["unshare", "-Ur", *argv("true")], capture_output=True, text=True, check=False
    )
    assert result.returncode == 125
    assert "initial user namespace" in result.stderr
    assert "what to do" in result.stderr


def test_without_cap_sys_admin(argv: Callable[..., list[str]]) -> None:
    result = subprocess.run(
        ["setpriv", "--bounding-set=-sys_admin", *argv("true")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 125
    assert "CAP_SYS_ADMIN" in result.stderr
