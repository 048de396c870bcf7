"""Tests against the running kernel; unprivileged unless marked."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.kernel import probe, simulator


@pytest.fixture(scope="session")
def prober(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile the probe. Fail, not skip, where Linux has no compiler."""
    if sys.platform != "linux":
        pytest.skip("seccomp is Linux's")
    return probe.build(tmp_path_factory.mktemp("probe"))


@pytest.fixture(scope="session")
def libseccomp_simulator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build scmp_bpf_sim from libseccomp's source package. In CI it must be available."""
    try:
        return simulator.build(tmp_path_factory.mktemp("simulator"))
    except (OSError, RuntimeError) as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"libseccomp's source cannot be fetched: {error}")
