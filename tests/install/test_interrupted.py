"""`install` and `uninstall` killed at each call that changes the file system."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from seclatch.engines.installation.file_change import temporary_path
from tests.unit.engines.tree import CONFIGS, Tree

CHANGES = "rename,unlink,unlinkat,mkdir,mkdirat,rmdir,symlink,symlinkat,fchmod,fchmodat,fsync"
PROGRAM = """
import sysconfig, sys
scripts = sys.argv.pop(1)
sysconfig.get_path = lambda _name: scripts
from seclatch.cli.main import main
main()
"""


def command(tree: Tree, verb: str, *words: str) -> list[str]:
    scripts = str(tree.top.parent / "scripts")
    python = [sys.executable, "-c", PROGRAM, scripts, verb, "docker", *words]
    return [*python, "--root", str(tree.top)]


def list_changes(words: list[str], log: Path) -> list[tuple[str, int]]:
    """Run to the end; return the calls in order, each with its count by name."""
    subprocess.run(["strace", "-qq", "-e", CHANGES, "-o", log, *words], check=True)
    names = [line.partition("(")[0] for line in log.read_text().splitlines()]
    return [(name, names[: index + 1].count(name)) for index, name in enumerate(names)]


def kill_at(words: list[str], name: str, number: int) -> None:
    """Kill it at the number-th call of this name, before that call (strace counts by name)."""
    inject = f"inject={name}:signal=SIGKILL:error=EINTR:when={number}"
    strace = ["strace", "-qq", "-o", "/dev/null", "-e", CHANGES, "-e", inject]
    done = subprocess.run([*strace, *words], capture_output=True, check=False)
    assert done.returncode == -9, done.stderr


@pytest.fixture
def host(tree: Tree) -> Tree:
    """Make the files that every host has, without /etc/docker."""
    for name in ("/etc", "/var/lib", "/usr/local/lib"):
        tree.path(name).mkdir(parents=True, exist_ok=True)
    return tree


@pytest.mark.parametrize("existing", [False, True], ids=["new", "existing"])
@pytest.mark.parametrize("verb", ["install", "uninstall"])
def test_nothing_is_left_after_the_next_uninstall(
    host: Tree, tmp_path: Path, verb: str, existing: bool
) -> None:
    if existing:
        host.write(CONFIGS["docker"], '{"debug": true}\n')
    before = host.snapshot()
    words = ("--latch", "plain") if verb == "install" else ()
    if verb == "uninstall":
        host.run("install", "docker", "--latch", "plain")
    calls = list_changes(command(host, verb, *words), tmp_path / "log")
    assert len(calls) > 8, calls
    host.run("uninstall", "docker")
    for index, (name, number) in enumerate(calls):
        if verb == "uninstall":
            host.run("install", "docker", "--latch", "plain")
        kill_at(command(host, verb, *words), name, number)
        if verb == "install" and index % 2:
            host.run("install", "docker", "--latch", "plain")  # may come first, too
            assert not list(host.top.rglob("*.seclatch"))
        host.run("uninstall", "docker")
        assert host.snapshot() == before, (name, number)
        assert "nothing to do" in host.run("uninstall", "docker")


def test_files_of_a_running_process_are_left(host: Tree) -> None:
    """Its temporary file may be about to be renamed; another program's, and a directory, stay."""
    config = host.write(CONFIGS["docker"], "{}")
    running = temporary_path(config)
    ended = config.with_name(running.name.replace(f".{os.getpid()}.", ".4194304."))
    older = config.with_name(".daemon.json.a1b2c3d4.seclatch")
    other = config.with_name(".daemon.json.a1b2c3d4.seclatch.bak")
    folder = config.with_name(".daemon.json.deadbeef.seclatch")
    for path in (running, ended, older, other):
        path.write_text("half")
    folder.mkdir()
    host.run("install", "docker")
    assert [running.exists(), other.exists(), folder.exists()] == [True, True, True]
    assert [ended.exists(), older.exists()] == [False, False]
