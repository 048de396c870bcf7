from __future__ import annotations

from pathlib import Path

import pytest

from seclatch.scan.image.rootfs_reader import Rootfs
from seclatch.scan.summary.summary_cache import SummaryCache


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> SummaryCache:
    """Provide summaries shared by the tests of a session, never those of another session."""
    return SummaryCache(tmp_path_factory.mktemp("summaries"))


@pytest.fixture(scope="session")
def host() -> Rootfs:
    """Provide this machine's own root directory."""
    return Rootfs(Path("/"))
