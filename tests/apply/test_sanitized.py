"""seclatch-apply under the address and undefined-behaviour sanitizers, in both of its processes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.apply.conftest import Applier
from tests.apply.test_binding import DENY_TWO
from tests.native.conftest import NATIVE, SANITIZED

SOURCES = [
    *sorted((NATIVE / "apply").glob("*.c")),
    NATIVE / "birth.c",
    NATIVE / "inject.c",
    NATIVE / "wait.c",
]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = tmp_path_factory.mktemp("sanitized") / "seclatch-apply"
    subprocess.run([*SANITIZED, "-o", built, *SOURCES], check=True)
    return built


def test_clean(apply: Applier, program: Path, tmp_path: Path) -> None:
    noise = tmp_path / "noise.bpf"
    noise.write_bytes(os.urandom(32760))
    # LeakSanitizer uses ptrace itself
    findings = f"log_path={tmp_path}/finding"
    env = {**os.environ, "ASAN_OPTIONS": f"detect_leaks=0:{findings}", "UBSAN_OPTIONS": findings}
    good = str(apply.filter(DENY_TWO))
    cases: list[tuple[list[str], int]] = [
        ([good, "--", str(apply.program("first_denied"))], 7),
        (["--allow-exec", good, str(apply.program("first_denied"))], 7),
        (["--flags", "2", good, str(apply.program("first_denied"))], 7),
        ([good, "/nonexistent"], 127),
        ([str(noise), "/bin/true"], 125),
        (["--fd", "99", "/bin/true"], 125),
        (["--flags", "99999999999999999999", good, "true"], 125),
        ([], 125),
        (["--help"], 0),
    ]
    for words, status in cases:
        done = subprocess.run([program, *words], env=env, capture_output=True, check=False)
        assert done.returncode == status, (words, done.stderr)
    found = list(tmp_path.glob("finding*"))
    assert not found, found[0].read_text()
