"""Conditions of library rules that are not in code."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from seclatch.scan.analysis.library_rules import load_rules
from seclatch.scan.image.rootfs_reader import Rootfs
from seclatch.scan.ld.library_search import LoadedModule
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
        ("charset-path", {}, False),
        ("charset-path", {"GCONV_PATH": "/opt/gconv"}, True),
        ("tunables charset-path", {"GCONV_PATH": "/opt/gconv"}, True),  # any of them
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


@pytest.mark.parametrize("tool", ["usr/local/sbin/dmsetup", "usr/sbin/lvdisplay", "sbin/dmsetup"])
def test_tools_that_libblkid_executes(tool: str, tmp_path: Path) -> None:
    program = LinkedProgram(Rootfs(tmp_path), SummaryCache(None))
    assert not condition_holds("block-device-tools", program)
    (tmp_path / tool).parent.mkdir(parents=True)
    (tmp_path / tool).touch()
    assert condition_holds("block-device-tools", program)


def test_the_cache_of_character_sets(tmp_path: Path) -> None:
    program = LinkedProgram(Rootfs(tmp_path), SummaryCache(None))
    assert condition_holds("charset-cache", program)  # no C library, which could name it
    library = tmp_path / "lib/libc.so.6"
    library.parent.mkdir()
    library.write_bytes(b"\0text\0/opt/lib/gconv/gconv-modules.cache\0" + b"x" * 9)
    summary = SummaryCache(None).summary(Path("/usr/bin/env").read_bytes())
    program.modules.append(LoadedModule("/lib/libc.so.6", summary))
    assert condition_holds("charset-cache", program)  # no file
    cached = tmp_path / "opt/lib/gconv/gconv-modules.cache"
    cached.parent.mkdir(parents=True)
    cached.write_bytes(b"something else")
    assert condition_holds("charset-cache", program)
    cached.write_bytes(Path("/usr/lib/x86_64-linux-gnu/gconv/gconv-modules.cache").read_bytes())
    assert not condition_holds("charset-cache", program)


def test_files_that_name_the_path_of_character_sets(tmp_path: Path) -> None:
    """The C library and the loader do so in any case."""
    program = LinkedProgram(Rootfs(tmp_path), SummaryCache(None))
    summary = SummaryCache(None).summary(Path("/usr/bin/env").read_bytes())
    assert not summary.charset_path
    named = msgspec.structs.replace(summary, charset_path=True)
    program.interpreter = LoadedModule("/lib/ld.so", named)
    program.modules += [LoadedModule("/bin/env", summary), program.interpreter]
    program.modules.append(LoadedModule("/lib/libc.so.6", named))
    assert not condition_holds("charset-path", program)
    program.modules.append(LoadedModule("/lib/libone.so", named))
    assert condition_holds("charset-path", program)


def test_preloaded_files_count(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/ld.so.preload").write_text("lib/one.so\n")
    assert condition_holds("relative-paths", LinkedProgram(Rootfs(tmp_path), SummaryCache(None)))


def test_all_rules_ask_a_function_for_the_same_arguments() -> None:
    """Constants are kept by function: of two positions in rules, one would never be seen."""
    rules = load_rules()
    for value in (value for rule in rules.rules for value in rule.values):
        for name in value.functions:
            assert rules.arguments[name] == value.argument, name
            assert (name in rules.texts) == value.text, name
            assert value.also is None or rules.second[name] == value.also.argument, name
