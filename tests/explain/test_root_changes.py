"""What a first run has changed in its root directory, on real file systems."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from seclatch.diagnose.confirm import root_changes
from seclatch.diagnose.confirm.root_changes import RootChanges, find_root_changes
from seclatch.diagnose.evidence.run_evidence import RunEvidence
from seclatch.recording.backends.bpf.detail_events import Sights
from seclatch.recording.trace.assign_stages import StageAssignment
from seclatch.recording.trace.trace import Trace

pytestmark = pytest.mark.root
NOTHING = RunEvidence((), 0, Trace(), StageAssignment(), Sights())


@pytest.fixture(params=["tmpfs", "overlay"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """Provide a root directory with two files that are older than the run."""
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(tmp_path)], check=True)
    try:
        lower = tmp_path / "lower"
        (lower / "etc/deep").mkdir(parents=True)
        for name in ("etc/passwd", "etc/deep/x"):
            (lower / name).write_text("old")
        if request.param == "tmpfs":
            yield lower
            return
        for name in ("upper", "work", "merged"):
            (tmp_path / name).mkdir()
        layers = f"lowerdir={lower},upperdir={tmp_path}/upper,workdir={tmp_path}/work"
        merged = tmp_path / "merged"
        subprocess.run(["mount", "-t", "overlay", "-o", layers, "overlay", merged], check=True)
        try:
            yield merged
        finally:
            subprocess.run(["umount", "--lazy", merged], check=True)
    finally:
        subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


def begin() -> int:
    """Return when a run begins; the kernel's times of files are coarser than a nanosecond."""
    time.sleep(0.05)
    return time.time_ns() - 10_000_000


def make_folder(root: Path) -> None:
    (root / "etc/new/below").mkdir(parents=True)
    (root / "etc/new/below/file").write_text("x")
    (root / "link").symlink_to("/etc/passwd")


def test_a_search_that_takes_too_long_is_no_change(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(root_changes, "_MOST_FILES", 0)
    assert find_root_changes(root, begin(), NOTHING) == RootChanges(unseen=".")


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda root: None, RootChanges()),
        (make_folder, RootChanges(("link", "etc/new"))),
        (lambda root: (root / "etc/passwd").write_text("new"), RootChanges((), "etc/passwd")),
        (lambda root: (root / "etc/passwd").chmod(0o600), RootChanges((), "etc/passwd")),
        (lambda root: (root / "etc/deep").chmod(0o700), RootChanges((), "etc/deep")),
        (lambda root: (root / "etc/passwd").unlink(), RootChanges((), "etc")),
        (lambda root: (root / "etc/deep/x").rename(root / "y"), RootChanges(("y",), "etc/deep")),
        (lambda root: os.utime(root / "etc/passwd", (1, 1)), RootChanges((), "etc/passwd")),
    ],
    ids=["nothing", "made", "written", "mode", "mode of a directory", "removed", "moved", "dated"],
)
def test_what_is_found(root: Path, change: Callable[[Path], object], found: RootChanges) -> None:
    since = begin()
    change(root)
    changes = find_root_changes(root, since, NOTHING)
    if found == RootChanges(("y",), "etc/deep"):  # a moved file is older than the run
        assert changes.lost in ("y", "etc/deep", ".")
        return
    assert (sorted(changes.made), changes.lost) == (sorted(found.made), found.lost)
