"""What opens gates and is not in code."""

from __future__ import annotations

from pathlib import Path

import pytest

from seclatch.scan.image.rootfs_reader import Rootfs
from seclatch.scan.ld.linker import Program
from seclatch.scan.reach.rule_conditions import holds
from seclatch.scan.summary.summary_cache import Cache


@pytest.mark.parametrize(
    ("condition", "environment", "expected"),
    [
        ("tunables", {}, False),
        ("tunables", {"GLIBC_TUNABLES": "glibc.malloc.check=1"}, True),
        ("relative-paths", {"LD_LIBRARY_PATH": "/opt/lib"}, False),
        ("relative-paths", {"LD_LIBRARY_PATH": "/opt/lib:"}, True),  # empty: where one is
        ("relative-paths", {"LD_LIBRARY_PATH": "/opt/lib;lib"}, True),
        ("relative-paths", {"LD_PRELOAD": "libone.so"}, False),  # searched
        ("relative-paths", {"LD_PRELOAD": "./libone.so"}, True),
        ("relative-paths", {"GCONV_PATH": "gconv"}, True),
        ("tokens", {"LD_PRELOAD": "/lib/one.so"}, False),
        ("tokens", {"LD_PRELOAD": "/$LIB/one.so"}, True),
    ],
)
def test_the_environment(
    condition: str, environment: dict[str, str], expected: bool, tmp_path: Path
) -> None:
    program = Program(Rootfs(tmp_path), Cache(None), environment=environment)
    assert holds(condition, program) is expected


@pytest.mark.parametrize("place", ["run/nscd/", "var/run/nscd/", "usr/sbin/nscd"])
def test_a_place_for_a_cache_of_names(place: str, tmp_path: Path) -> None:
    program = Program(Rootfs(tmp_path), Cache(None))
    assert not holds("name-cache", program)
    path = tmp_path / place
    path.parent.mkdir(parents=True)
    path.mkdir() if place.endswith("/") else path.touch()
    assert holds("name-cache", program)


def test_preloaded_files_count(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/ld.so.preload").write_text("lib/one.so\n")
    assert holds("relative-paths", Program(Rootfs(tmp_path), Cache(None)))
