"""Check the curated rules about libraries (data/scan/*.toml) against older and newer versions."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from seclatch.scan.analysis.library_rules import load_rules
from seclatch.scan.image.rootfs_reader import Rootfs
from seclatch.scan.image.scan_target import ScanTarget
from seclatch.scan.ld import feature_imports
from seclatch.scan.ld.library_search import LoadedModule
from seclatch.scan.reach.scan_program import scan_program
from seclatch.scan.summary.summary_cache import SummaryCache
from tests.libraries.suites import SUITES, libraries, root
from tests.scan import traced
from tests.scan.rule_callers import callers, unexplained
from tests.scan.test_recall import COMMANDS

pytestmark = pytest.mark.timeout(1200)
ARCHES = ("amd64", "arm64")
LIBC = ("libc.so.6", "libpthread.so.0", "ld-linux-x86-64.so.2")


@pytest.fixture(scope="module")
def cache() -> SummaryCache:
    return SummaryCache(None)


def module(cache: SummaryCache, path: Path) -> LoadedModule:
    return LoadedModule(str(path), cache.summary(path.read_bytes()))


@pytest.mark.parametrize("suite", SUITES)
def test_rules_name_all_callers_of_their_calls(suite: str, cache: SummaryCache) -> None:
    """Not arm64's: there, code that forms the address of a page seems to use everything on it."""
    place, unnamed = root(suite, "amd64"), {}
    found = [path for name in LIBC for path in libraries(place, name)[:1]]
    assert len(found) >= 2
    for path in found:
        library = module(cache, path)
        above = callers(library.summary)
        for rule in load_rules().rules:
            about = rule.is_about(library.name, library.summary.machine)
            if about and (rule.opened_by or rule.guards) and (rule.syscalls or rule.guards):
                unnamed[library.name, rule.name] = unexplained(library, rule, above)
    assert {key: names for key, names in unnamed.items() if names} == {}


@pytest.mark.parametrize("arch", ARCHES)
@pytest.mark.parametrize("suite", [each for each in SUITES if SUITES[each] != "libssl1.1"])
def test_openssl_queries_features_in_one_place(suite: str, arch: str, cache: SummaryCache) -> None:
    place = root(suite, arch)
    (crypto,) = libraries(place, "libcrypto.so.3")[:1]
    held = feature_imports.find_withheld_imports(module(cache, crypto))
    assert {"shmget", "shmat", "shmdt", "recvmmsg", "sendmmsg"} <= held.keys()
    assert ("select" in held) == (suite != "bookworm")  # 3.0 also waits for sockets with it


@pytest.mark.parametrize("suite", SUITES)
def test_tools_and_hosts_are_used_in_known_places(suite: str, cache: SummaryCache) -> None:
    """The tools of libblkid in two places that something reaches, the hosts of libaudit in one."""
    for name, expected in (
        ("libblkid.so.1", {"pipe", "fork", "dup2", "setuid", "setgid", "execv"}),
        ("libaudit.so.1", {"getaddrinfo", "freeaddrinfo"}),
    ):
        library = module(cache, libraries(root(suite, "amd64"), name)[0])
        assert feature_imports.find_withheld_imports(library).keys() == expected


TRACE = (
    'mount --bind /dev "$1/dev" && mount -t proc proc "$1/proc" && mount -t tmpfs tmpfs "$1/tmp" &&'
    ' mkdir "$1/tmp/w" && root=$1 log=$2 && shift 2 &&'
    ' exec strace -f -qq -s256 -esignal=none -o "$log" chroot "$root" "$@"'
)


@pytest.mark.root
@pytest.mark.parametrize("suite", SUITES)
def test_no_traced_call_is_missing(suite: str, cache: SummaryCache, tmp_path: Path) -> None:
    """Run the commands of tests/scan/programs.toml whose programs the suite has."""
    place = root(suite, "amd64")
    made: dict[str, set[str]] = {}
    for command in [*COMMANDS["looked_at"], *COMMANDS["held_out"]]:
        words = shlex.split(command.replace("{tmp}", "/tmp/w"))
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
        subprocess.run(
            ["unshare", "--mount", "sh", "-c", TRACE, "sh", place, tmp_path / "log", *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
            check=False,
            env=environment,
        )
        for path, calls in traced.read((tmp_path / "log").read_text(errors="replace")).items():
            made.setdefault(path, set()).update(calls)
    rootfs, lost, programs = Rootfs(place), {}, 0
    for path, calls in made.items():
        real = rootfs.resolve(path)
        if path.endswith("/chroot") or real is None or rootfs.head(real, 4) != b"\x7fELF":
            continue
        programs += 1
        found = {
            each.name for each in scan_program(rootfs, cache, ScanTarget(real, "traced")).calls
        }
        if calls - found:
            lost[path] = calls - found
    rootfs.close()
    assert lost == {}
    assert programs >= 60
