"""libblkid executes tools of the device mapper only where an image has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from seclatch.scan.image.rootfs_reader import Rootfs
from seclatch.scan.image.scan_target import ScanTarget
from seclatch.scan.reach.scan_program import scan_program
from seclatch.scan.summary.summary_cache import SummaryCache
from tests.debian.server import unpacked
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


@pytest.mark.root
def test_tools_of_the_device_mapper(cache: SummaryCache, tmp_path: Path) -> None:
    with unpacked(("util-linux",)) as root:
        found = scan(root, cache)
        assert not found & BY_TOOLS
        (root / "disk").write_bytes(bytes(1 << 20))
        for words in (["-p", "/disk"], ["-i", "/disk"], ["/disk"], ["-L", "none"], ["-o", "list"]):
            seen = traced.trace(["chroot", str(root), BLKID, *words], tmp_path / "log")
            assert seen[BLKID] <= found
        (root / "usr/sbin/dmsetup").touch()
        assert scan(root, cache) == found | BY_TOOLS
