"""Files that are locked for as long as a process has them open."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Any

import pytest

from seclatch.system.held_file import hold_file, take_released_files


def list_released(folder: Path) -> list[str]:
    found = list(take_released_files(folder))
    for file in found:
        file.leave()
    return [file.path.name for file in found]


def test_it_is_released_by_the_last_descriptor(tmp_path: Path) -> None:
    """A child's is one of the same open file: here a duplicate."""
    folder = tmp_path / "held"
    assert list_released(folder) == []
    file = hold_file(folder / "one", b"content")
    inherited = os.dup(file.fd)
    file.leave()
    assert list_released(folder) == []
    os.close(inherited)
    assert list_released(folder) == ["one"]
    [found] = take_released_files(folder)
    assert found.read() == b"content"
    assert list_released(folder) == []  # held by this process again
    found.remove()
    assert list(folder.iterdir()) == []


def test_a_later_file_of_that_name_is_not_removed(tmp_path: Path) -> None:
    first = hold_file(tmp_path / "one", b"first")
    second = hold_file(tmp_path / "one", b"second")
    first.remove()
    assert (tmp_path / "one").read_bytes() == b"second"
    assert list_released(tmp_path) == []
    second.remove()
    assert list(tmp_path.iterdir()) == []


def test_any_name_is_a_file_s(tmp_path: Path) -> None:
    """As runc takes for a container: one that begins with a dot was left out as unfinished once."""
    folder = tmp_path / "held"
    names = [".part", "~x", f".web.{os.getpid()}", f"held.new.{os.getpid()}"]
    for name in names:
        hold_file(folder / name, b"").leave()
    assert list_released(folder) == sorted(names)
    assert list(tmp_path.iterdir()) == [folder]  # nothing is left of writing them
    assert folder.stat().st_mode & 0o777 == 0o700


def test_links_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "aim").write_text("")
    folder = tmp_path / "held"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "aim")
    (folder / "folder").mkdir()
    os.mkfifo(folder / "pipe")
    assert list_released(folder) == ["folder", "pipe"]


@pytest.mark.parametrize("change", ["rename", "unlink"])
def test_names_change_one_after_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    """So that no file takes the place of another one between that one's look and its removal."""
    locked: list[bool] = []
    actual = getattr(Path, change)

    def look(path: Path, *rest: Any, **more: Any) -> object:
        fd = os.open(tmp_path, os.O_RDONLY)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            locked.append(True)
        finally:
            os.close(fd)
        return actual(path, *rest, **more)

    monkeypatch.setattr(Path, change, look)
    hold_file(tmp_path / "one", b"").remove()
    assert locked == [True]
    assert list(tmp_path.iterdir()) == []
