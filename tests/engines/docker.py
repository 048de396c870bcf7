"""Start a real private dockerd."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.engines.engine import IMAGE, Daemon, Done, Engine, Options


@dataclass
class Docker(Engine):
    """dockerd on its own socket; `flags` are further arguments for it.

    With `config` None it gets a private configuration that registers `runtimes`; otherwise it reads
    that file of the private host (so "/etc/docker/daemon.json" is the host's usual one).
    """

    config: str | None = None
    flags: Sequence[str] = ()
    daemon: Daemon = field(init=False)

    name = "docker"
    programs = ("dockerd", "docker", "containerd", "runc")

    def begin(self, log: Path) -> Docker:
        """Start the daemon and wait until it answers."""
        if self.config is None:
            own = self.directory / "daemon.json"
            runtimes = {
                key: {"path": str(path)} for key, path in self.runtimes.items() if key != "runc"
            }  # dockerd reserves the name runc for its built-in one
            self.host.path(own).write_text(json.dumps({"runtimes": runtimes}))
            chosen = ["--config-file", str(own)]
        else:
            usual = self.config == "/etc/docker/daemon.json"
            chosen = [] if usual else ["--config-file", self.config]
        directory = self.directory
        process = self.host.spawn(
            "dockerd",
            *chosen,
            "--data-root",
            directory / "data",
            "--exec-root",
            directory / "exec",
            "--pidfile",
            directory / "pid",
            "-H",
            self.address,
            "--iptables=false",
            "--ip6tables=false",
            "--bridge=none",
            "--cgroup-parent",
            f"/{self.host.group}",
            "--exec-opt",
            "native.cgroupdriver=cgroupfs",
            *self.flags,
            log=log,
        )
        self.daemon = Daemon(self.host, process, log)
        self.daemon.await_ready(["docker", "-H", self.address, "version"])
        return self

    @property
    def address(self) -> str:
        """Return the address of the daemon's socket."""
        return f"unix://{self.directory}/docker.sock"

    def command(self, *words: str | os.PathLike[str], timeout: float = 60) -> Done:
        return self.host.run("docker", "-H", self.address, *words, timeout=timeout)

    def load(self, archive: Path) -> None:
        self.must("load", "--input", archive)

    def words(self, name: str, values: dict[str, Any], command: Sequence[str]) -> list[str]:
        """Return the arguments of `docker run` or `create` after the verb."""
        options = Options(**values)
        words = ["--name", name, "--network", "none", "--pull", "never"]
        if options.runtime:
            words += ["--runtime", options.runtime]
        if options.profile:
            words += ["--security-opt", f"seccomp={options.profile}"]
        if options.no_new_privs:
            words += ["--security-opt", "no-new-privileges"]
        if options.user:
            words += ["--user", options.user]
        return [*words, *options.words, IMAGE, *command]

    def run(self, *command: str, timeout: float = 60, **options: Any) -> Done:
        words = self.words(self.new_name(), options, command)
        return self.command("run", "--rm", *words, timeout=timeout)

    def create(self, *command: str, **options: Any) -> str:
        name = self.new_name()
        self.must("create", *self.words(name, options, command))
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
        self.command("rm", "--force", "--volumes", container)

    def stop(self) -> None:
        self.clear()
        # Those that tests started by other means: dockerd gives them ten seconds or more to end.
        if left := self.command("ps", "--quiet").stdout.split():
            self.command("kill", *left)
        self.daemon.stop()
