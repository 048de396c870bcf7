"""Run `seclatch install` as an administrator does, in a private host of its own."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.engines.engine import Done
from tests.engines.host import ENVIRONMENT, PrivateHost

SOURCES = Path(__file__).parents[2] / "src"
DATA = Path(__file__).parents[1] / "data"

# Denies calls that runc and crun need and allows those of busybox: without the latch no container
# starts.
STRICT = DATA / "stali-like.json"

MAIN = "from seclatch.cli.main import main; main()"

SEEN = ["/bin/busybox", "grep", "Seccomp:", "/proc/self/status"]


@dataclass(frozen=True)
class Administrator:
    """Runs seclatch inside a private host, with the host's own /etc."""

    host: PrivateHost
    latches: Path  # directory with seclatch-runc and seclatch-crun

    def __call__(
        self, *words: str, env: Mapping[str, str] | None = None, timeout: float = 60
    ) -> Done:
        path = f"{self.latches}:{ENVIRONMENT['PATH']}"
        own = {"PYTHONPATH": str(SOURCES), "PATH": path}
        command = [sys.executable, "-c", MAIN, *words]
        return self.host.run(*command, env={**own, **(env or {})}, timeout=timeout)

    def must(self, *words: str) -> str:
        done = self(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def plan(self, *words: str) -> dict[str, Any]:
        plan: dict[str, Any] = json.loads(self.must(*words, "--json"))
        return plan

    def write(self, path: str, text: str) -> None:
        target = self.host.path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def tree(self) -> dict[str, tuple[int, str]]:
        """List every path that installing may change, with its mode and contents."""
        found = {}
        for top in (
            "/etc/docker",
            "/etc/containers",
            "/etc/containerd",
            "/usr/local/lib",
            "/var/lib/seclatch",
        ):
            directory = self.host.path(top)
            for path in [directory, *directory.rglob("*")] if directory.exists() else []:
                name = f"{top}/{path.relative_to(directory)}"
                found[name] = (path.lstat().st_mode, content(path))
        return found


def content(path: Path) -> str:
    if path.is_symlink():
        return str(path.readlink())
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "directory"
