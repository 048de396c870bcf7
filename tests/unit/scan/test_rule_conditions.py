"""Conditions of library rules that are not in code."""

from __future__ import annotations

from pathlib import Path

import pytest

from seclatch.scan.image.rootfs_reader import Rootfs
from seclatch.scan.ld.linker import LinkedProgram
from seclatch.scan.reach.rule_conditions import condition_holds
from seclatch.scan.summary.summary_cache import SummaryCache


@pytest.mark.parametrize(
    ("condition", "environment", "expected"),
    [
        ("tunables", {}, False),
        ("tunables", {"GLIBC_TUNABLES": "glibc.malloc.check=1"}, True),
        ("relative-paths", {"LD_LIBRARY_PATH": "/opt/lib"}, False),
        ("relative-paths", {"LD_LIBRARY_PATH": "/opt/lib:"}, True),  # empty: a file is there
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
    program = LinkedProgram(Rootfs(tmp_path), SummaryCache(None), environment=environment)
    assert condition_holds(condition, program) is expected


@pytest.mark.parametrize("place", ["run/nscd/", "var/run/nscd/", "usr/sbin/nscd"])
def test_a_cache_socket_of_name_services(place: str, tmp_path: Path) -> None:
    program = LinkedProgram(Rootfs(tmp_path), SummaryCache(None))
    assert not condition_holds("name-cache", program)
    path = tmp_path / place
    path.parent.mkdir(parents=True)
    path.mkdir() if place.endswith("/") else path.touch()
    assert condition_holds("name-cache", program)


def test_a_socket_of_the_user_database(tmp_path: Path) -> None:
    program = LinkedProgram(Rootfs(tmp_path), SummaryCache(None))
    assert not condition_holds("user-database", program)
    (tmp_path / "run/systemd/userdb").mkdir(parents=True)
    assert condition_holds("user-database", program)


def test_preloaded_files_count(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/ld.so.preload").write_text("lib/one.so\n")
    assert condition_holds("relative-paths", LinkedProgram(Rootfs(tmp_path), SummaryCache(None)))
