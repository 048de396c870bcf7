"""libblkid executes tools of the device mapper only where an image has them."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from seclatch.scan.image.rootfs_reader import Rootfs
from seclatch.scan.image.scan_target import ScanTarget
from seclatch.scan.reach.scan_program import scan_program
from seclatch.scan.summary.summary_cache import SummaryCache
from tests.scan import traced

BLKID = "/usr/sbin/blkid"
BY_TOOLS = {"execve", "pipe2", "clone", "dup2", "setuid", "setgid"}


def scan(root: Path, cache: SummaryCache) -> set[str]:
    rootfs = Rootfs(root)
    try:
        return {
            call.name for call in scan_program(rootfs, cache, ScanTarget(BLKID, "a test")).calls
        }
    finally:
        rootfs.close()


def copy_program(root: Path) -> None:
    """Copy the host's program, and the libraries that it is linked to."""
    listed = subprocess.run(["ldd", BLKID], capture_output=True, text=True, timeout=60, check=True)
    for path in [BLKID, *re.findall(r"/[^ )]+", listed.stdout)]:
        (root / path[1:]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, root / path[1:])


@pytest.mark.root
def test_tools_of_the_device_mapper(cache: SummaryCache, tmp_path: Path) -> None:
    root = tmp_path / "root"
    copy_program(root)
    found = scan(root, cache)
    assert not found & BY_TOOLS
    (root / "disk").write_bytes(bytes(1 << 20))
    for words in (["-p", "/disk"], ["-i", "/disk"], ["/disk"], ["-L", "none"], ["-o", "list"]):
        seen = traced.trace(["chroot", str(root), BLKID, *words], tmp_path / "log")
        assert seen[BLKID] <= found
    (root / "usr/sbin/dmsetup").touch()
    assert scan(root, cache) == found | BY_TOOLS
