from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from seclatch.engines.installation.file_change import (
    DirectoryChange,
    FileChange,
    FileState,
    LinkChange,
    apply_steps,
    read_file,
)
from seclatch.errors import SeclatchError


@dataclass(frozen=True)
class Failing:
    error: BaseException

    def describe(self) -> str:
        return "fail"

    def diff(self) -> list[str]:
        return []

    def apply(self) -> None:
        raise self.error

    def undo(self) -> None:
        raise AssertionError("undone without having been applied")


def names(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*"))


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), SeclatchError("no", remedy="do")]
)
def test_a_failure_midway_undoes_earlier_steps(tmp_path: Path, error: Exception) -> None:
    old = tmp_path / "old"
    old.write_text("old")
    old.chmod(0o640)
    (tmp_path / "link").symlink_to("before")
    steps = [
        DirectoryChange(tmp_path / "made", present=True),
        FileChange(tmp_path / "made/file", None, FileState(b"new"), "test"),
        FileChange(old, read_file(old), FileState(b"changed", 0o600), "test"),
        LinkChange(tmp_path / "link", "before", "after"),
        Failing(error),
    ]
    with pytest.raises(SeclatchError, match="all earlier steps are undone") as caught:
        apply_steps(steps)
    assert caught.value.remedy == getattr(error, "remedy", "")
    assert names(tmp_path) == ["link", "old"]
    assert (old.read_text(), old.stat().st_mode & 0o777) == ("old", 0o640)
    assert (tmp_path / "link").readlink() == Path("before")


def test_an_interrupt_undoes_too(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        apply_steps(
            [DirectoryChange(tmp_path / "made", present=True), Failing(KeyboardInterrupt())]
        )
    assert names(tmp_path) == []


def test_a_step_that_cannot_be_undone_is_named(tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class Stuck(Failing):
        def apply(self) -> None:
            pass

        def undo(self) -> None:
            raise OSError(5, "Input/output error")

        def describe(self) -> str:
            return "make a mess"

    with pytest.raises(SeclatchError, match="not undone: make a mess"):
        apply_steps([Stuck(OSError()), Failing(SeclatchError("no"))])


def test_a_file_changed_since_the_plan_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "daemon.json"
    path.write_text("as planned")
    change = FileChange(path, read_file(path), FileState(b"ours"), "test")
    path.write_text("somebody else's")
    with pytest.raises(SeclatchError, match="another process changed it"):
        change.apply()
    assert path.read_text() == "somebody else's"
    assert names(tmp_path) == ["daemon.json"]


def test_attributes_of_a_replaced_file_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(0o4711)
    try:
        os.setxattr(path, "user.label", b"kept")
    except OSError:
        pytest.skip("no extended attributes on this file system")
    before = read_file(path)
    assert before
    FileChange(path, before, before.replaced(b"new"), "test").apply()
    after = read_file(path)
    assert after == before.replaced(b"new")
    assert os.getxattr(path, "user.label") == b"kept"


@pytest.mark.parametrize("kind", ["fifo", "link", "directory"])
def test_only_a_regular_file_is_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "file"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "link":
        path.symlink_to("/etc/passwd")
    else:
        path.mkdir()
    with pytest.raises(SeclatchError, match=str(path)):
        read_file(path)
