from __future__ import annotations

import os
from pathlib import Path

import pytest

from seclatch.errors import InputError
from seclatch.scan.image.rootfs_reader import Rootfs


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text("outside")
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc" / "passwd").write_text("inside")
    (root / "absolute").symlink_to("/etc/passwd")
    (root / "up").symlink_to("../../../../etc/passwd")
    (root / "out").symlink_to("../secret")
    (root / "loop").symlink_to("loop")
    (root / "magic").symlink_to("/proc/self/exe")
    os.mkfifo(root / "fifo")
    return root


@pytest.mark.parametrize("path", ["/absolute", "/up", "/etc/../etc/passwd", "/../etc/passwd"])
def test_links_and_dots_stay_inside(root: Path, path: str) -> None:
    rootfs = Rootfs(root)
    assert rootfs.read(path) == b"inside"
    assert rootfs.resolve(path) == "/etc/passwd"


@pytest.mark.parametrize("path", ["/out", "/loop", "/magic", "/fifo", "/etc", "/none", "/a\0b"])
def test_only_regular_files_inside_are_read(root: Path, path: str) -> None:
    rootfs = Rootfs(root)
    assert rootfs.read(path) is None
    assert rootfs.resolve(path) is None
    assert rootfs.head(path, 4) == b""


def test_a_file_that_is_too_large_is_not_read(root: Path) -> None:
    assert Rootfs(root).read("/etc/passwd", limit=3) is None


def test_a_root_that_is_no_directory_is_refused_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none"):
        Rootfs(tmp_path / "none")


def test_executables_are_found_in_order_and_links_not_followed(root: Path) -> None:
    for name in ("b", "a", "etc/run"):
        (root / name).write_text("")
        (root / name).chmod(0o755)
    (root / "linked").symlink_to("etc")
    (root / "loops").symlink_to(".")
    assert list(Rootfs(root).executables()) == ["/a", "/b", "/etc/run"]
