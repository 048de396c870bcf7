"""The front starts a recorder, as the engine's user, only if its file is safe."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.latch.oci import copy_front

SCRIPT = "#!/bin/sh\necho started >{out}\necho >&3\n"


@pytest.mark.parametrize(
    ("mode", "annotation", "starts"),
    [
        (0o755, "seclatch.record", True),
        (0o757, "seclatch.record", False),
        (0o775, "seclatch.record", False),
        (0o755, "other", False),
    ],
    ids=["safe", "world-writable", "group-writable", "not asked for"],
)
def test_which_recorder_is_started(
    tmp_path: Path, mode: int, annotation: str, starts: bool
) -> None:
    front, out = copy_front(tmp_path / "fronts", "seclatch-x", "/bin/true"), tmp_path / "out"
    recorder = tmp_path / "recorder"
    recorder.write_text(SCRIPT.format(out=out))
    recorder.chmod(mode)
    front.with_name("seclatch-x.record").symlink_to(recorder)
    (tmp_path / "config.json").write_text(f'{{"annotations": {{"{annotation}": "x"}}}}')
    words = [front, "run", "--bundle", tmp_path, "x"]
    done = subprocess.run(words, check=False, env={"SECLATCH_MODE": "plain"})
    assert done.returncode == 0  # the container starts whatever happens to the recorder
    assert out.exists() == starts
