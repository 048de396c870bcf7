"""`seclatch report --card` where no program renders it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from seclatch.recording.files import recording_file
from tests.unit.report.starts import start

BIN = Path(sys.executable).parent


def test_without_a_program_that_renders_it_names_some(tmp_path: Path) -> None:
    recording_file.write_recording(tmp_path / "start.json", start(latched=True))
    done = subprocess.run(
        [BIN / "seclatch", "report", "--card", "-o", "card.png", "start.json"],
        cwd=tmp_path,
        env={**os.environ, "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 125
    assert "rsvg-convert" in done.stderr and "-o FILE.svg" in done.stderr
    assert not (tmp_path / "card.png").exists()
