"""Servers of other suites: until glibc 2.33, threads are a separate library (libpthread)."""

from __future__ import annotations

from pathlib import Path

import pytest

from seclatch.scan.image.rootfs_reader import Rootfs
from seclatch.scan.image.scan_target import ScanTarget
from seclatch.scan.reach.scan_program import scan_program
from seclatch.scan.summary.summary_cache import SummaryCache
from tests.libraries.suites import with_servers
from tests.scan.servers import servers, trace

pytestmark = [pytest.mark.timeout(1200), pytest.mark.root]


@pytest.mark.parametrize("suite", ["bullseye", "bookworm"])
@pytest.mark.parametrize("name", servers())
def test_a_server_at_work(name: str, suite: str, tmp_path: Path) -> None:
    place, server = with_servers(suite), servers()[name]
    rootfs = Rootfs(place)
    program = scan_program(rootfs, SummaryCache(None), ScanTarget(server.path, "traced"))
    rootfs.close()
    found = {call.name for call in program.calls}
    made = trace(server, place, tmp_path)
    assert len(made) >= 35
    assert made <= found
    assert program.whole, program.open
    assert {"sched_setscheduler", "sched_getparam"}.isdisjoint(found)
