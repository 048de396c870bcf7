"""The checked-in kernel programs equal the build of their sources, and are in the wheels."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.wheels.test_wheels import ROOT, WHEELS, platform

MODULES = ROOT / "src/seclatch/bpf/objects"


def check(folder: Path) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "tools.bpf_objects", "--check"]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)


def test_objects_equal_a_build_in_any_directory(tmp_path: Path) -> None:
    for part in ("native/bpf", "tools", "src/seclatch/bpf/objects"):
        shutil.copytree(ROOT / part, tmp_path / part)
    done = check(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    source = tmp_path / "native/bpf/recorder.h"
    source.write_text(source.read_text().replace("FIRST_OWN = 1024", "FIRST_OWN = 1025"))
    done = check(tmp_path)
    assert done.returncode == 1
    assert "is not what native/bpf gives: make bpf" in done.stderr


@pytest.mark.parametrize("wheel", WHEELS, ids=platform)
def test_wheels_have_the_objects(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for path in MODULES.glob("*.py"):
            assert archive.read(f"seclatch/bpf/objects/{path.name}") == path.read_bytes()
