"""Static programs of other suites: glibc's own signals look alike there (docs/decisions/0069)."""

from __future__ import annotations

import pytest

from seclatch.scan.image.rootfs_reader import Rootfs
from seclatch.scan.image.scan_target import ScanTarget
from seclatch.scan.reach.scan_program import scan_program
from seclatch.scan.summary.summary_cache import SummaryCache
from tests.libraries.suites import SUITES, busybox


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("arch", ["amd64", "arm64"])
def test_busybox_is_scanned_completely(suite: str, arch: str) -> None:
    place, path = busybox(suite, arch)
    rootfs = Rootfs(place)
    program = scan_program(rootfs, SummaryCache(None), ScanTarget(path, "scanned"))
    rootfs.close()
    assert program.whole, program.open
    assert {"setuid", "setgid", "setgroups"} <= {call.name for call in program.calls}
