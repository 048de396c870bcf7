"""Record real servers at their workload, and run it again under the generated profile."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from seclatch.model.action import ENOSYS, EPERM
from seclatch.recording.files import recording_file
from tests.debian.programs import NAMES, programs
from tests.debian.server import ANY, SECLATCH, Server, generate
from tests.latch.oci import Runtime

pytestmark = [pytest.mark.root, pytest.mark.timeout(400)]
RECORDINGS = 2
PROCESS_MRELEASE = "448"

# Calls that none of these programs needs.
NEVER = {"bpf", "mount", "ptrace", "unshare", "init_module", "kexec_load", "userfaultfd", "setns"}


@pytest.mark.parametrize("name", NAMES)
def test_recorded_generated_run_again(root: Path, tmp_path: Path, name: str) -> None:
    plain, latched = Runtime("runc", latched=False), Runtime("runc")
    with Server(programs()[name], root) as server:
        recordings = [tmp_path / f"{n}.json.gz" for n in range(RECORDINGS)]
        for each in recordings:
            server.run(plain, ANY, each)
        strict, tolerant = tmp_path / "latch.json", tmp_path / "plain.json"
        generate(recordings, strict)
        generate(recordings, tolerant, "--plain", "runc")
        for each in (strict, tolerant):
            subprocess.run([SECLATCH, "profile", "check", each], check=True, capture_output=True)
        profile = json.loads(strict.read_text())
        assert not NEVER & {name for rule in profile["syscalls"] for name in rule["names"]}
        again = tmp_path / "again.json"
        server.run(latched, profile, again)
        denials = {(each.name, each.errno) for each in recording_file.read_recording(again).denials}
        assert denials == set()
        server.run(plain, json.loads(tolerant.read_text()))
        outside = server.run_other(latched, ["/usr/bin/newest_call", PROCESS_MRELEASE], profile)
        assert outside.returncode in (EPERM, ENOSYS)
