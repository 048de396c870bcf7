"""systemd takes the unit settings that `profile export --to systemd` writes."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from seclatch.model.arch import Arch
from seclatch.profile.export.formats import write
from tests.unit.profile.test_export import ALLOWLIST


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")
@pytest.mark.parametrize("default", ["SCMP_ACT_ERRNO", "SCMP_ACT_KILL", "SCMP_ACT_ALLOW"])
def test_systemd_parses_it(default: str, tmp_path: Path) -> None:
    profile = replace(ALLOWLIST, default_action=default, architectures=tuple(Arch))
    written = write(profile, "systemd")
    left_out = {arch for arch in Arch if any(arch.scmp + ":" in each for each in written.warnings)}
    assert left_out == {Arch.M68K, Arch.SH, Arch.SHEB}
    text = written.text
    unit = tmp_path / "seclatch-test.service"
    unit.write_text(f"{text}ExecStart=/bin/true\n")
    verify = ["systemd-analyze", "verify", "--man=no", str(unit)]
    done = subprocess.run(verify, capture_output=True, text=True, check=False)
    ours = [line for line in done.stderr.splitlines() if "seclatch-test" in line]
    assert ours == []
