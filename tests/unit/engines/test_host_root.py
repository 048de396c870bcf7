from __future__ import annotations

from pathlib import Path

import pytest

from seclatch.engines.installation.host_root import HostRoot
from seclatch.errors import SeclatchError


def test_links_are_followed_inside_the_root(tmp_path: Path) -> None:
    root = HostRoot(tmp_path)
    (tmp_path / "etc").mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "etc/absolute").symlink_to("/data/file")
    (tmp_path / "etc/relative").symlink_to("../data/file")
    (tmp_path / "etc/out").symlink_to("../../../../../../data/file")
    (tmp_path / "conf").symlink_to("etc")
    for name in ("/etc/absolute", "/etc/relative", "/etc/out", "/conf/relative"):
        assert root.resolve(name) == tmp_path / "data/file"


def test_missing_parts_are_kept(tmp_path: Path) -> None:
    assert HostRoot(tmp_path).resolve("/a/b/../c") == tmp_path / "a/c"


def test_a_loop_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(SeclatchError, match="too many symbolic links"):
        HostRoot(tmp_path).resolve("/a")


def test_a_program_is_looked_for_inside_only(tmp_path: Path) -> None:
    assert HostRoot(tmp_path).find_program("sh") is None
    (tmp_path / "usr/sbin").mkdir(parents=True)
    program = tmp_path / "usr/sbin/sh"
    program.write_text("")
    assert HostRoot(tmp_path).find_program("sh") is None
    program.chmod(0o755)
    assert HostRoot(tmp_path).find_program("sh") == "/usr/sbin/sh"
