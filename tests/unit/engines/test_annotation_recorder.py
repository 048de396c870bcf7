"""Files that a container's start will execute as root: the recorder's interpreter and modules."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from seclatch.engines import annotation_recorder, installed_latch
from seclatch.errors import SeclatchError


def test_the_recorder_imports_without_the_site_module(tmp_path: Path) -> None:
    """Nothing that the environment or its .pth files name is on its path."""
    script = tmp_path / "recorder"
    script.write_bytes(annotation_recorder.make_script())
    shown = "import sys; print(*sys.path, sep='\\n'); raise SystemExit"
    script.write_text(script.read_text().replace("raise SystemExit(main", f"{shown}\n(main"))
    done = subprocess.run(
        [sys.executable, "-IS", script],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": "/planted", "PYTHONHOME": "/planted"},
    )
    added = annotation_recorder.find_import_directories()
    assert done.stdout.splitlines()[-len(added) :] == added
    assert all("planted" not in line for line in done.stdout.splitlines())
    assert script.read_text().partition("\n")[0] == f"#!{sys.executable} -IS"


def test_all_loaded_files_are_listed() -> None:
    files = annotation_recorder.list_loaded_files()
    names = {file.name for file in files}
    assert {"container_recorder.py", "container_images.py", "pyvenv.cfg"} <= names
    assert Path(sys.executable) in files
    assert not [file for file in files if "_seclatch_editable" in file.name]


@pytest.mark.parametrize("change", [0o002, 0o000], ids=["writable", "another's"])
def test_a_file_writable_by_others_is_refused(tmp_path: Path, change: int) -> None:
    file = tmp_path / "module.py"
    file.touch()
    installed_latch.refuse_unsafe_file(file)
    file.chmod(0o644 | change)
    if not change:
        if os.geteuid():
            pytest.skip("needs root: only root may give a file away")
        os.chown(file, 2000, 2000)
    with pytest.raises(SeclatchError, match="can be changed by others than root"):
        installed_latch.refuse_unsafe_file(file)
