"""Files that a container's start will execute as root: the recorder's interpreter and modules."""

from __future__ import annotations

import os
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

from seclatch.engines.installation import installed_latch
from seclatch.engines.installation.host_root import HostRoot
from seclatch.engines.services import annotation_recorder
from seclatch.engines.services.recorder_service import make_unit
from seclatch.errors import SeclatchError
from seclatch.model.recorder_limits import RecorderLimits
from tests.unit.engines.tree import Tree


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
    files = annotation_recorder.list_loaded_files(annotation_recorder.MODULES)
    names = {file.name for file in files}
    assert {"node_recorder.py", "follow_front.py", "container_images.py", "pyvenv.cfg"} <= names
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


def test_the_service_is_started_again_however_often_it_fails() -> None:
    """The setting belongs to [Unit]; systemd ignores it elsewhere."""
    unit = ConfigParser(interpolation=None)
    unit.read_string(make_unit("/usr/local/lib/seclatch/recorder", RecorderLimits()))
    assert unit["Unit"]["StartLimitIntervalSec"] == "0"
    assert (unit["Service"]["Restart"], unit["Service"]["RestartSec"]) == ("always", "2s")


def test_a_tree_needs_the_recorder_s_python_at_the_same_path(tree: Tree) -> None:
    before = tree.snapshot()
    with pytest.raises(SeclatchError, match="there is none below") as caught:
        tree.run("install", "docker", "--record-annotations")
    assert "chroot" in caught.value.remedy
    assert tree.snapshot() == before
    for file in annotation_recorder.list_loaded_files(annotation_recorder.MODULES):
        if file.exists():
            tree.write(str(file), b"")
    made = tree.snapshot()
    tree.run("install", "docker", "--record-annotations")
    assert tree.path("/usr/local/lib/seclatch/recorder/recorder").is_file()
    tree.run("uninstall", "docker")
    assert tree.snapshot() == made
    gone = annotation_recorder.__file__.replace(
        "engines/services/annotation", "recording/annotated/node"
    )
    tree.path(gone).unlink()
    with pytest.raises(SeclatchError, match=r"node_recorder\.py, and there is none below"):
        tree.run("install", "docker", "--record-annotations")


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        (f"#!{sys.executable} -IS\n", ""),
        ("#!/gone/python -IS\n", "the Python that its first line names, is gone"),
        (f"#!{sys.executable} -IS\nimport gone\n", "No module named 'gone'"),
        ("#!/bin/false\n", "status 1"),
        ("no program", "Exec format error"),
        (None, "gone"),
    ],
)
def test_trying_the_recorder(tmp_path: Path, script: str | None, problem: str) -> None:
    root = HostRoot(tmp_path)
    assert annotation_recorder.try_recorder(root, "docker") is None
    latches = tmp_path / "usr/local/lib/seclatch"
    (latches / "docker").mkdir(parents=True)
    (latches / "docker/runc.record").symlink_to("/run/seclatch/recorder.sock")
    folder = latches / "recorder"
    folder.mkdir()
    if script is not None:
        (folder / "recorder").write_text(script)
        (folder / "recorder").chmod(0o755)
    found = annotation_recorder.try_recorder(root, "docker")
    assert (found == "") if not problem else (problem in str(found))
