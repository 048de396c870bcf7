from __future__ import annotations

import os
from pathlib import Path

import pytest

from seclatch.scan.image.rootfs_reader import Rootfs
from seclatch.scan.summary.summary_cache import SummaryCache


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> SummaryCache:
    """Provide summaries shared by all workers of a run, never those of another run."""
    base = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        base = base.parent  # each worker has a directory in that of the run
    (base / "summaries").mkdir(exist_ok=True)
    return SummaryCache(base / "summaries")


@pytest.fixture(scope="session")
def host() -> Rootfs:
    """Provide this machine's own root directory."""
    return Rootfs(Path("/"))
