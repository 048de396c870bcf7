"""Podman with private storage; no daemon."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.engines.engine import IMAGE, Done, Engine, Options


@dataclass
class Podman(Engine):
    """podman with its own --root, --runroot and --tmpdir; `flags` are further global arguments."""

    flags: Sequence[str] = ()

    name = "podman"
    programs = ("podman", "conmon", "crun")

    def command(self, *words: str | os.PathLike[str], timeout: float = 60) -> Done:
        return self.with_runtime(None, *words, timeout=timeout)

    def with_runtime(
        self, runtime: str | None, *words: str | os.PathLike[str], timeout: float = 60
    ) -> Done:
        """Run podman with --runtime: a program of `runtimes`, or a registered name."""
        chosen = ["--runtime", str(self.runtimes.get(runtime, runtime))] if runtime else []
        directory = self.directory
        return self.host.run(
            "podman",
            "--root",
            directory / "root",
            "--runroot",
            directory / "run",
            "--tmpdir",
            directory / "tmp",
            "--cgroup-manager",
            "cgroupfs",
            "--events-backend",
            "file",
            *self.flags,
            *chosen,
            *words,
            timeout=timeout,
        )

    def load(self, archive: Path) -> None:
        self.must("load", "--input", archive)

    def words(self, name: str, options: Options, command: Sequence[str]) -> list[str]:
        """Return the arguments of `podman run` or `create` after the verb."""
        words = ["--name", name, "--network", "none", "--pull", "never"]
        if "--cgroups=disabled" not in options.words:
            words += ["--cgroup-parent", f"/{self.host.group}"]
        if options.profile:
            words += ["--security-opt", f"seccomp={options.profile}"]
        if options.no_new_privs:
            words += ["--security-opt", "no-new-privileges"]
        if options.user:
            words += ["--user", options.user]
        return [*words, *options.words, IMAGE, *command]

    def run(self, *command: str, timeout: float = 60, **options: Any) -> Done:
        chosen = Options(**options)
        words = self.words(self.new_name(), chosen, command)
        return self.with_runtime(chosen.runtime, "run", "--rm", *words, timeout=timeout)

    def create(self, *command: str, **options: Any) -> str:
        name, chosen = self.new_name(), Options(**options)
        done = self.with_runtime(chosen.runtime, "create", *self.words(name, chosen, command))
        if done.returncode:
            raise AssertionError(f"podman create: {done.returncode}: {done.stderr}")
        return name

    def start(self, container: str) -> Done:
        return self.command("start", container)

    def exec(self, container: str, *command: str, extra: Sequence[str] = ()) -> Done:
        return self.command("exec", *extra, container, *command)

    def pid(self, container: str) -> int:
        return int(self.must("inspect", "--format", "{{.State.Pid}}", container))

    def wait(self, container: str) -> int:
        return int(self.must("wait", container))

    def output(self, container: str) -> str:
        return self.must("logs", container)

    def remove(self, container: str) -> None:
        self.command("rm", "--force", "--time", "0", "--ignore", container)

    def stop(self) -> None:
        self.clear()
