"""`seclatch demo`, with real runtimes."""

from __future__ import annotations

import subprocess
import sys

import pytest

SECLATCH = [sys.executable, "-m", "seclatch"]


@pytest.mark.root
@pytest.mark.parametrize("runtime", ["runc", "crun"])
def test_every_run_of_the_demo_ends_as_it_should(runtime: str) -> None:
    ran = subprocess.run(
        [*SECLATCH, "demo", "--runtime", runtime], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "Seccomp:\t2" in ran.stdout
    assert "can't create directory '/tmp/new'" in ran.stderr
    assert "[exit status 42]" in ran.stdout
    assert ran.stdout.count("/proc\n/tmp\n") == 2
