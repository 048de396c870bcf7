"""Which of two filters denied a call, and that the second was put on by `seclatch tighten`."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.latch.oci import SCRIPTS, wait_until
from tests.watch.conftest import Watch

pytestmark = pytest.mark.root
SECLATCH = str(SCRIPTS / "seclatch")
SCRIPT = """
import os, sys, time
folder = sys.argv[1]
open(folder + "/ready", "w").close()
while not os.path.exists(folder + "/go"):
    time.sleep(0.05)
for change in (os.rmdir, os.mkdir):
    try:
        change(folder + "/x")
    except OSError as error:
        print(error.errno, flush=True)
"""


def profile(path: Path, name: str, errno: int) -> Path:
    rule = {"names": [name], "action": "SCMP_ACT_ERRNO", "errnoRet": errno}
    path.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}))
    return path


def test_the_second_filter_is_told_from_the_first(watch: Watch, tmp_path: Path) -> None:
    first = profile(tmp_path / "first.json", "rmdir", 11)
    second = profile(tmp_path / "second.json", "mkdir", 12)
    python = shutil.which("python3") or sys.executable
    words = [SECLATCH, "apply", "--profile", first, "--", python, "-c", SCRIPT, tmp_path]
    with subprocess.Popen([*map(str, words)], stdout=subprocess.PIPE, text=True) as program:
        wait_until((tmp_path / "ready").exists, "the program", seconds=60)
        pid = program.pid
        tighten = [SECLATCH, "tighten", str(pid), "--profile", str(second), "--now"]
        subprocess.run(tighten, capture_output=True, check=True)
        with watch() as watched:
            (tmp_path / "go").touch()
            assert program.stdout is not None
            assert program.stdout.read() == "11\n12\n"
            program.wait(60)
    [one] = watched.of(pid=pid, syscall="rmdir")
    assert (one.filter.layer, one.filter.layers, one.filter.tightened) == (1, 2, "")
    [two] = watched.of(pid=pid, syscall="mkdir")
    assert (two.filter.layer, two.filter.layers) == (2, 2)
    assert two.filter.tightened.startswith("20")
    assert two.filter.fingerprint != one.filter.fingerprint
