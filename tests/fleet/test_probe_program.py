"""The probe's program and image: what it answers under its filter, another, and none."""

from __future__ import annotations

import io
import json
import platform
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from seclatch.agent.probe_image import make_probe_archive
from seclatch.agent.probe_program import LATCHED, make_probe_profile, make_probe_program
from seclatch.errors import SeclatchError

EMULATORS = {"x86_64": "qemu-x86_64", "aarch64": "qemu-aarch64"}


@pytest.mark.parametrize("machine", EMULATORS)
def test_it_answers_by_its_filter(machine: str, tmp_path: Path) -> None:
    program = tmp_path / "probe"
    program.write_bytes(make_probe_program(machine))
    program.chmod(0o755)
    words = [str(program)]
    if machine != platform.machine():
        emulator = shutil.which(EMULATORS[machine])
        assert emulator, "apt-get install qemu-user"
        words = [emulator, *words]
    assert subprocess.run(words, check=False).returncode == 1
    file = tmp_path / "profile.json"
    for errno, status in ((77, LATCHED), (1, 1)):
        rule = {"names": ["getppid"], "action": "SCMP_ACT_ERRNO", "errnoRet": errno}
        file.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}))
        under = [sys.executable, "-m", "seclatch", "apply", "--profile", str(file), "--"]
        assert subprocess.run([*under, *words], check=False).returncode == status


def test_a_machine_without_a_probe() -> None:
    with pytest.raises(SeclatchError, match="no probe for riscv64"):
        make_probe_program("riscv64")


def test_the_profile_lets_no_runtime_start() -> None:
    allowed = {name for rule in make_probe_profile()["syscalls"] for name in rule["names"]}
    assert not allowed & {"execve", "write", "close", "prctl", "setuid"}


def test_the_image_is_the_same_each_time() -> None:
    first = make_probe_archive("x86_64")
    assert first == make_probe_archive("x86_64") != make_probe_archive("aarch64")
    with tarfile.open(fileobj=io.BytesIO(first)) as archive:
        configuration = json.load(archive.extractfile("config.json"))
        assert configuration["architecture"] == "amd64"
