"""Arguments of denied calls are recorded apart from those of calls that were made."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from seclatch.recording.files import recording_file
from tests.conftest import Compiler
from tests.latch.oci import SCRIPTS

pytestmark = pytest.mark.root
SECLATCH = str(SCRIPTS / "seclatch")

DENIED = {
    ("socket", 0, 2): 3,
    ("socket", 1, 1): 3,
    ("socket", 2, 6): 3,
    ("socket", 0, 16): 1,
    ("socket", 1, 3): 1,
    ("socket", 2, 9): 1,
    ("fcntl", 1, 1031): 1,
}


@pytest.mark.parametrize("backend", ["ebpf", "ptrace"])
def test_both_back_ends_record_them(compiler: Compiler, tmp_path: Path, backend: str) -> None:
    path = tmp_path / "r.json"
    words = ["record", "-q", "--backend", backend, "-o", path, "--", compiler("denied_arguments")]
    subprocess.run([SECLATCH, *words], check=True, timeout=60)
    recording = recording_file.read_recording(path)
    found: Counter[tuple[str, int, int]] = Counter()
    for each in recording.denied_arguments:
        found[each.name, each.index, each.value] += each.count
    assert found == DENIED
    made = [each for each in recording.arguments if each.name == "socket" and not each.index]
    assert [(each.value, each.count) for each in made] == [(1, 1)]


def test_an_amendment_is_as_narrow_as_the_calls(tmp_path: Path) -> None:
    """Of busybox's nc in a container, whose socket(AF_INET) is denied."""
    path, profile = tmp_path / "r.json", tmp_path / "p.json"
    rule = {"names": ["socket"], "action": "SCMP_ACT_ERRNO", "errnoRet": 97}
    profile.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}))
    command = [SECLATCH, "run", "--profile", profile, "--", "nc", "127.0.0.1", "9"]
    subprocess.run([SECLATCH, "record", "-q", "-o", path, "--", *command], check=False, timeout=60)
    words = ["amend", profile, "--from", path, "--overrule", "socket", "--allow", "socket"]
    subprocess.run([SECLATCH, *words, "--yes"], check=True, timeout=60)
    added = json.loads(profile.read_text())["syscalls"][-1]
    assert added["names"] == ["socket"] and added["action"] == "SCMP_ACT_ALLOW"
    assert [(arg["index"], arg["valueTwo"]) for arg in added["args"]] == [(0, 2)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert "refused" in done.stderr
