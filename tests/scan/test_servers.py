"""Servers with their plugins: every call that strace sees is found, and no more than a bound."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from seclatch.scan.image.rootfs_reader import Rootfs
from seclatch.scan.image.scan_target import ScanTarget
from seclatch.scan.reach.scan_program import scan_program
from seclatch.scan.summary.summary_cache import SummaryCache
from tests.scan.servers import MODULES, root, servers, trace

# For Debian 13's builds, with room for a package's next version.
MOST = {"nginx": 107, "apache2": 95, "memcached": 100, "lighttpd": 97, "redis": 105}


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    with root() as path:
        yield path


@pytest.mark.root
@pytest.mark.parametrize("name", servers())
def test_a_server_at_work(name: str, directory: Path, cache: SummaryCache, tmp_path: Path) -> None:
    server = servers()[name]
    rootfs = Rootfs(directory)
    program = scan_program(rootfs, cache, ScanTarget(server.path, "traced"))
    rootfs.close()
    found = {call.name for call in program.calls}
    made = trace(server, directory, tmp_path)
    assert len(made) >= 40
    assert made <= found
    assert program.whole
    assert len(found) <= MOST[name]
    if name == "apache2":
        plugins = {Path(each).name for each in program.plugins}
        assert {f"mod_{each}.so" for each in MODULES} <= plugins
