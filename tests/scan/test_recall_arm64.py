"""Recall on aarch64: Debian's programs under qemu's user emulation, which prints their calls.

Children that a program starts are not emulated: commands that start some are left out.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from seclatch.model.scan import ScannedProgram
from seclatch.scan.image.rootfs_reader import Rootfs
from seclatch.scan.image.scan_target import ScanTarget
from seclatch.scan.reach.scan_program import scan_program
from seclatch.scan.summary.summary_cache import SummaryCache
from tests.arm64.__main__ import CACHE
from tests.arm64.packages import Apt, unpack

PACKAGES = (
    "bash",
    "busybox-static",
    "coreutils",
    "dash",
    "findutils",
    "grep",
    "mawk",
    "mount",
    "procps",
    "python3-minimal",
    "sed",
    "tar",
    "util-linux",
    "openssl",
    "nginx",
    "fd-find",
)
CALL = re.compile(r"^\d+ (\w+)\(", re.MULTILINE)
ALWAYS = {"execve"}  # qemu's own start is not the program's

COMMANDS = [
    "true",
    "ls -la /etc",
    "cat /etc/passwd",
    "dash -c 'umask; test -e /etc; echo x'",
    "bash -c 'echo $((1+1)); type ls; ulimit -n; cd /; pwd; trap : TERM; kill -TERM $$'",
    "cp /etc/passwd {tmp}/one",
    "mv {tmp}/none {tmp}/two",
    "rm -f {tmp}/none",
    "mkdir -p {tmp}/a/b",
    "touch {tmp}/file",
    "chmod 700 {tmp}",
    "chown 0:0 {tmp}",
    "date",
    "sort /etc/passwd",
    "head -2 /etc/passwd",
    "tail -2 /etc/passwd",
    "wc /etc/passwd",
    "cut -d: -f1 /etc/passwd",
    "sed -n p /etc/passwd",
    "grep root /etc/passwd",
    "find /etc/default",
    "id",
    "stat /etc",
    "df",
    "tar cf {tmp}/x.tar /etc/default",
    "ps",
    "du -s /etc/default",
    "sleep 0.01",
    "env",
    "uname -a",
    "dd if=/dev/zero of={tmp}/z bs=1k count=3 conv=fsync",
    "mawk '{print}' /etc/passwd",
    "python3 -c 'import os; print(os.listdir(\"/\"))'",
    "openssl rand 4",
    "busybox ls /",
    "busybox sh -c 'echo x; cd /'",
    "busybox df",
    "comm /etc/passwd /etc/group",
    "od -c /etc/passwd",
    "base64 /etc/passwd",
    "sha256sum /etc/passwd",
    "mktemp -p {tmp}",
    "realpath /bin/sh",
    "tee {tmp}/t",
    "truncate -s 3 {tmp}/u",
    "lscpu",
    "prlimit",
    "mount",
    "getopt ab -a",
    "tty",
    "numfmt 3",
    "expr 1 + 1",
    "sync {tmp}",
    "shuf -n1 /etc/passwd",
    "split -l3 /etc/passwd {tmp}/s",
    "fdfind passwd /etc/pam.d",  # Rust's, with jump tables of bytes
]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Unpack Debian's arm64 packages; fetched once, beside those of `make test-arm64`."""
    apt = Apt(CACHE / "apt")
    apt.update()
    place = tmp_path_factory.mktemp("arm64") / "root"
    unpack(apt.closure(PACKAGES), place)
    return place


@pytest.fixture(scope="module")
def scanned(root: Path, cache: SummaryCache) -> dict[str, ScannedProgram]:
    return {}


@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_is_missing(
    root: Path,
    cache: SummaryCache,
    scanned: dict[str, ScannedProgram],
    command: str,
    tmp_path: Path,
) -> None:
    words = shlex.split(command.replace("{tmp}", str(tmp_path)))
    rootfs = Rootfs(root)
    path = rootfs.resolve(f"/usr/bin/{words[0]}") or rootfs.resolve(f"/usr/sbin/{words[0]}")
    assert path is not None
    done = subprocess.run(
        ["qemu-aarch64", "-L", root, "-strace", "-0", words[0], str(root) + path, *words[1:]],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=120,
    )
    seen = set(CALL.findall(done.stderr))
    assert {"mmap", "exit_group"} & seen, done.stderr[-500:]
    if path not in scanned:
        scanned[path] = scan_program(rootfs, cache, ScanTarget(path, "emulated"))
    rootfs.close()
    assert seen - ALWAYS <= {call.name for call in scanned[path].calls}
    assert scanned[path].whole, scanned[path].open


def test_there_are_enough() -> None:
    assert len(COMMANDS) >= 30


def test_a_large_program_is_whole(root: Path, cache: SummaryCache) -> None:
    """nginx calls syscall(3); its slot's page is used by many functions that do not."""
    rootfs = Rootfs(root)
    program = scan_program(rootfs, cache, ScanTarget("/usr/sbin/nginx", "scanned"))
    rootfs.close()
    assert program.whole, program.open
    assert len(program.calls) <= 105
