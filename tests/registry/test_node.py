"""Profiles of a list come to a node's directory, from a real registry."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.registry.conftest import ALLOWED, KeyPair, Seclatch, make_profile, read_valid
from tests.registry.docker_registry import DockerRegistry


class Node:
    """A list, a directory, and the command."""

    def __init__(self, seclatch: Seclatch, host: str, keys: KeyPair, folder: Path) -> None:
        self.seclatch, self.host, self.keys, self.folder = seclatch, host, keys, folder
        self.list = folder / "profiles.list"
        self.seccomp = folder / "seccomp"

    def push(self, name: str, allowed: list[str], key: Path | None = None) -> str:
        file = self.folder / "pushed.json"
        file.write_text(json.dumps(make_profile(allowed)))
        words = ("push", file, f"{self.host}/node/{name}", "--plain-http")
        done = self.seclatch(*words, "--sign", key or self.keys.private)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def words(self, *more: object) -> tuple[object, ...]:
        place = ("--profiles", self.list, "--seccomp-dir", self.seccomp)
        return ("node", *place, "--key", self.keys.public, "--plain-http", *more)

    def bring(self, *more: object) -> subprocess.CompletedProcess[str]:
        return self.seclatch(*self.words("--once", *more))

    def files(self) -> dict[str, str]:
        return {path.name: path.read_text() for path in (self.seccomp / "seclatch").iterdir()}


@pytest.fixture
def node(seclatch: Seclatch, registry: DockerRegistry, keys: KeyPair, tmp_path: Path) -> Node:
    return Node(seclatch, registry.host, keys, tmp_path)


def test_a_profile_has_a_name_for_ever(node: Node) -> None:
    """A new version is a new file; going back is a change of the pod's template."""
    first = node.push("web", ALLOWED)
    node.list.write_text(f"web {first}\n")
    done = node.bring("--json")
    assert done.returncode == 0, done.stderr
    [name] = read_valid(done.stdout, "node-profiles-1")["added"]
    assert name == f"web-{first.partition('sha256:')[2][:12]}.json"
    assert (node.seccomp / "seclatch" / name).stat().st_mode & 0o777 == 0o644
    before = node.files()
    second = node.push("web", [*ALLOWED, "getpid"])
    node.list.write_text(f"web {second}\n")
    assert node.bring().returncode == 0
    assert len(node.files()) == 2 and before.items() <= node.files().items()


def test_what_is_there_needs_no_registry(
    node: Node, seclatch: Seclatch, registry: DockerRegistry
) -> None:
    node.list.write_text(f"web {node.push('down', ALLOWED)}\n")
    assert node.bring().returncode == 0
    before = node.files()
    node.list.write_text(node.list.read_text().replace(registry.host, "localhost:1"))
    done = node.bring()
    assert (done.returncode, done.stdout) == (0, "") and node.files() == before


def test_one_that_fails_does_not_keep_others_out(node: Node, other_keys: KeyPair) -> None:
    lines = [
        f"unsigned {node.push('mixed', [*ALLOWED, 'bpf'], other_keys.private)}",
        f"missing {node.host}/node/mixed@sha256:{'0' * 64}",
        f"web {node.push('mixed', ALLOWED)}",
    ]
    node.list.write_text("\n".join(lines))
    done = node.bring()
    assert done.returncode == 1
    assert "unsigned-" in done.stderr and "not by this key" in done.stderr
    assert "missing-000000000000.json" in done.stderr
    assert [name.partition("-")[0] for name in node.files()] == ["web"]


def test_what_is_not_listed_is_removed_later(node: Node) -> None:
    pinned = node.push("old", ALLOWED)
    node.list.write_text(f"old {pinned}\n")
    assert node.bring().returncode == 0
    [name] = node.files()
    folder = node.seccomp / "seclatch"
    (folder / "own.json").write_text("not ours")
    node.list.write_text("")
    assert node.bring().returncode == 0 and name in node.files()
    for path in folder.iterdir():
        os.utime(path, (1, 1))
    done = node.bring("--keep", "1d")
    assert done.stdout == f"removed {name}\n"
    assert list(node.files()) == ["own.json"]


def test_a_directory_that_others_write_to_is_refused(node: Node, tmp_path: Path) -> None:
    node.list.write_text(f"web {node.push('dir', ALLOWED)}\n")
    node.seccomp.mkdir()
    (tmp_path / "elsewhere").mkdir()
    folder = node.seccomp / "seclatch"
    folder.symlink_to(tmp_path / "elsewhere")
    assert node.bring().returncode == 125
    folder.unlink()
    folder.mkdir()
    folder.chmod(0o777)
    assert "not a place for profiles" in node.bring().stderr
    assert not list(folder.iterdir()) and not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.root
def test_it_needs_no_capability(node: Node) -> None:
    """As the DaemonSet's container: root without any."""
    node.list.write_text(f"web {node.push('caps', ALLOWED)}\n")
    bare = ["setpriv", "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs"]
    words = [*bare, sys.executable, "-m", "seclatch", *map(str, node.words("--once"))]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(node.files()) == 1
    caps = subprocess.run(
        [*bare, "cat", "/proc/self/status"], capture_output=True, text=True, check=True
    )
    assert "CapEff:\t0000000000000000" in caps.stdout


def test_again_and_again(node: Node) -> None:
    """The list is read anew each time, though it was gone once; SIGTERM ends it at once."""
    node.list.write_text("")
    words = [sys.executable, "-m", "seclatch", *map(str, node.words("--every", "200ms", "--json"))]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout and json.loads(process.stdout.readline())["added"] == []
        node.list.unlink()
        assert process.stderr and str(node.list) in process.stderr.readline()
        node.list.write_text(f"web {node.push('again', ALLOWED)}\n")
        deadline = time.monotonic() + 60
        while not json.loads(process.stdout.readline())["added"]:
            assert time.monotonic() < deadline
        assert len(node.files()) == 1
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.communicate()
