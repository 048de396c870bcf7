"""Tests that ask the running kernel; unprivileged unless marked."""

from __future__ import annotations

import sys
from pathlib import Path

import probe
import pytest


@pytest.fixture(scope="session")
def prober(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled probe. Fails, not skips, where Linux has no compiler."""
    if sys.platform != "linux":
        pytest.skip("seccomp is Linux's")
    return probe.build(tmp_path_factory.mktemp("probe"))
