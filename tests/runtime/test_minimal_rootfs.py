"""The minimal rootfs of `seclatch run`, with its program."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from seclatch.runtime import container_rootfs


def test_minimal_rootfs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    old = os.umask(0o077)
    try:
        root = container_rootfs.make_minimal_rootfs()
    finally:
        os.umask(old)
    assert root.parent == tmp_path / "seclatch"
    assert stat.S_IMODE((root / "tmp").stat().st_mode) == 0o1777
    assert stat.S_IMODE(root.stat().st_mode) == stat.S_IMODE((root / "etc").stat().st_mode) == 0o755
    assert container_rootfs.read_rootfs_text(root, "/etc/passwd").startswith("root:x:0:0:")
    shown = subprocess.run([root / "bin/busybox", "echo", "here"], capture_output=True, check=True)
    assert shown.stdout == b"here\n"
    assert (root / "bin/sh").readlink() == Path("busybox")
    assert container_rootfs.make_minimal_rootfs() == root
    assert list(root.parent.iterdir()) == [root], "something was left beside it"


def test_minimal_rootfs_made_concurrently(tmp_path: Path) -> None:
    module = "seclatch.runtime.container_rootfs"
    code = f"from {module} import make_minimal_rootfs as make; print(make())"
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path)}
    many = [
        subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE)
        for _ in range(6)
    ]
    answers = {process.communicate()[0] for process in many}
    assert [process.returncode for process in many] == [0] * 6
    assert len(answers) == 1
    assert len(list((tmp_path / "seclatch").iterdir())) == 1
