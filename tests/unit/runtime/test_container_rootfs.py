"""The minimal rootfs, and reading files of a hostile one."""

import os
from pathlib import Path
from typing import Any

import pytest

from seclatch.errors import InputError, SeclatchError
from seclatch.runtime import container_rootfs


@pytest.fixture
def hostile(tmp_path: Path) -> Any:
    (tmp_path / "secret").write_text("root:x:0:0::/stolen:\n")
    root = tmp_path / "rootfs"
    (root / "etc").mkdir(parents=True)
    return root


def test_plain_file(hostile: Path) -> None:
    (hostile / "etc/passwd").write_bytes(b"caf\xe9\n")
    assert (
        container_rootfs.read_rootfs_text(hostile, "/etc/passwd")
        == "caf\N{REPLACEMENT CHARACTER}\n"
    )


def test_missing(hostile: Path) -> None:
    assert container_rootfs.read_rootfs_text(hostile, "/etc/passwd") == ""
    (hostile / "file").write_text("")
    assert container_rootfs.read_rootfs_text(hostile, "/file/passwd") == ""


@pytest.mark.parametrize("target", ["../../secret", "/../secret", "../../../../../../{}/secret"])
def test_links_stay_inside(hostile: Path, target: Any) -> None:
    (hostile / "etc/passwd").symlink_to(target.format(hostile.parent))
    assert container_rootfs.read_rootfs_text(hostile, "/etc/passwd") == ""


def test_absolute_link_resolves_in_the_rootfs(hostile: Path) -> None:
    (hostile / "etc/passwd").symlink_to("/real")
    (hostile / "real").write_text("inside")
    assert container_rootfs.read_rootfs_text(hostile, "/etc/passwd") == "inside"


def test_linked_directory_stays_inside(hostile: Path, tmp_path: Path) -> None:
    (tmp_path / "passwd").write_text("outside")
    (hostile / "etc").rmdir()
    (hostile / "etc").symlink_to(tmp_path)
    assert container_rootfs.read_rootfs_text(hostile, "/etc/passwd") == ""


def test_link_through_proc(hostile: Path) -> None:
    (hostile / "etc/passwd").symlink_to("/proc/self/root/etc/passwd")
    assert container_rootfs.read_rootfs_text(hostile, "/etc/passwd") == ""


def test_loop(hostile: Path) -> None:
    (hostile / "etc/passwd").symlink_to("passwd")
    with pytest.raises(SeclatchError, match="symbolic links"):
        container_rootfs.read_rootfs_text(hostile, "/etc/passwd")


def test_fifo_does_not_block(hostile: Path) -> None:
    os.mkfifo(hostile / "etc/passwd")
    with pytest.raises(InputError, match="not a regular file"):
        container_rootfs.read_rootfs_text(hostile, "/etc/passwd")


def test_size_is_bounded(hostile: Path) -> None:
    with (hostile / "etc/passwd").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(InputError, match="longer than"):
        container_rootfs.read_rootfs_text(hostile, "/etc/passwd")


def test_an_unwritable_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(SeclatchError) as caught:
        container_rootfs.make_minimal_rootfs()
    assert "--rootfs" in caught.value.remedy


def test_static_programs_only(tmp_path: Path) -> None:
    assert container_rootfs.is_static(container_rootfs.find_busybox())
    assert not container_rootfs.is_static(Path("/bin/ls"))
    for content in (
        b"",
        b"\x7fELF",
        b"#!/bin/sh\n" + b"x" * 100,
        b"\x7fELF\x02\x01" + b"\xff" * 60,
    ):
        (tmp_path / "program").write_bytes(content)
        assert not container_rootfs.is_static(tmp_path / "program")


def test_no_busybox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    with pytest.raises(SeclatchError) as caught:
        container_rootfs.find_busybox()
    assert "busybox-static" in caught.value.remedy
