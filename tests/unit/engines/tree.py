"""A system tree under --root, and the command on it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from seclatch.cli import install, uninstall

CONFIGS = {
    "docker": "/etc/docker/daemon.json",
    "podman": "/etc/containers/containers.conf.d/50-seclatch.conf",
    "containerd": "/etc/containerd/config.toml",
    "crio": "/etc/crio/crio.conf.d/50-seclatch.conf",
}


@dataclass(frozen=True)
class Tree:
    top: Path

    def path(self, name: str) -> Path:
        return self.top / name.lstrip("/")

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def run(self, verb: str, *words: str) -> str:
        """Run install or uninstall here; raise errors as the command does."""
        command = {"install": install, "uninstall": uninstall}[verb].command
        arguments = [*words, "--root", str(self.top)]
        result = CliRunner().invoke(command, arguments, catch_exceptions=True)
        if result.exception:
            raise result.exception
        return result.output

    def plan(self, verb: str, *words: str) -> dict[str, Any]:
        plan: dict[str, Any] = json.loads(self.run(verb, *words, "--json"))
        return plan

    def snapshot(self) -> dict[str, tuple[int, int, str]]:
        """Return every path with its mode, owner and content."""
        found = {}
        for path in self.top.rglob("*"):
            status = path.lstat()
            found[str(path.relative_to(self.top))] = (status.st_mode, status.st_uid, content(path))
        return found


def content(path: Path) -> str:
    if path.is_symlink():
        return str(path.readlink())
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
