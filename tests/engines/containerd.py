"""A real private containerd, used through ctr."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.engines.engine import IMAGE, Daemon, Done, Engine, Options
from tests.engines.host import wait_until

_number = itertools.count()

# A containerd with private directories; CRI stays off unless a test supplies a configuration.
CONFIG = """\
version = 2
root = "{directory}/root"
state = "{directory}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "{directory}/containerd.sock"
"""


@dataclass
class Containerd(Engine):
    """containerd on its own socket; the host's name is that of the namespace and so of the cgroup.

    `config` is another configuration file of the private host (its directories are overridden). ctr
    has no verb that creates without starting and takes a runtime program, so `create` is missing;
    its `run` calls the runtime's create and start.
    """

    config: str | None = None
    daemon: Daemon = field(init=False)

    name = "containerd"
    programs = ("containerd", "ctr", "runc")
    has_create = False

    def begin(self, log: Path) -> Containerd:
        """Start the daemon and wait until it answers."""
        config, directory = self.config, self.directory
        if config is None:
            config = f"{directory}/config.toml"
            self.host.path(config).write_text(CONFIG.format(directory=directory))
        process = self.host.spawn(
            "containerd",
            "--config",
            config,
            "--root",
            directory / "root",
            "--state",
            directory / "state",
            "--address",
            directory / "containerd.sock",
            log=log,
        )
        self.daemon = Daemon(self.host, process, log)
        self.daemon.await_ready(["ctr", "--address", directory / "containerd.sock", "version"])
        return self

    def command(self, *words: str | os.PathLike[str], timeout: float = 60) -> Done:
        address = self.directory / "containerd.sock"
        namespace = ["--namespace", self.host.group]
        return self.host.run("ctr", "--address", address, *namespace, *words, timeout=timeout)

    def load(self, archive: Path) -> None:
        self.must("image", "import", archive)

    def words(self, name: str, values: dict[str, Any], command: Sequence[str]) -> list[str]:
        """Return the arguments of `ctr run` after the verb."""
        options, words = Options(**values), []
        if options.runtime:
            program = self.runtimes.get(options.runtime, options.runtime)
            words += ["--runc-binary", str(program)]
        if options.profile:
            words += ["--seccomp", "--seccomp-profile", str(options.profile)]
        if not options.no_new_privs:
            words += ["--allow-new-privs"]
        if options.user:
            words += ["--user", options.user]
        return [*words, *options.words, IMAGE, name, *command]

    def run(self, *command: str, timeout: float = 60, **options: Any) -> Done:
        """Run as Engine.run does; retry once when nothing was printed.

        On a busy machine a foreground ctr sometimes exits before it has copied the output of a
        short container. A differing status is not hidden: when the second run returns another
        status, the first result counts.
        """
        done = self.command(
            "run", "--rm", *self.words(self.new_name(), options, command), timeout=timeout
        )
        if done.stdout or done.stderr or done.returncode not in (0, 1):
            return done
        words = self.words(self.new_name(), options, command)
        again = self.command("run", "--rm", *words, timeout=timeout)
        return again if again.returncode == done.returncode else done

    def create(self, *command: str, **options: Any) -> str:
        raise NotImplementedError("ctr cannot create with --runc-binary without starting")

    def start(self, container: str) -> Done:
        raise NotImplementedError("ctr cannot create with --runc-binary without starting")

    def detach(self, *command: str, **options: Any) -> str:
        name = self.new_name()
        log = ["--log-uri", f"file://{self.directory}/{name}.log"]
        self.must("run", "--detach", *log, *self.words(name, options, command))
        return name

    def exec(self, container: str, *command: str, extra: Sequence[str] = ()) -> Done:
        identity = ["--exec-id", f"exec{next(_number)}"]
        return self.command("task", "exec", *identity, *extra, container, *command)

    def ask(self, container: str, *command: str) -> Done:
        """Execute as Engine.ask does; retry once when nothing was printed (see `run`)."""
        done = self.exec(container, *command)
        return done if done.stdout or done.stderr else self.exec(container, *command)

    def task(self, container: str) -> list[str]:
        """Return name, pid and state of the container's task; empty when there is none."""
        lines = self.must("task", "ls").splitlines()[1:]
        return next((line.split() for line in lines if line.split()[0] == container), [])

    def pid(self, container: str) -> int:
        return int(self.task(container)[1])

    def wait(self, container: str) -> int:
        wait_until(lambda: self.task(container)[2:] == ["STOPPED"], f"{container} to end")
        result = self.command("task", "rm", container)
        status = re.search(r"non-zero exit code (\d+)", result.stderr)
        return int(status[1]) if status else result.returncode

    def output(self, container: str) -> str:
        return self.host.path(self.directory / f"{container}.log").read_text(errors="replace")

    def remove(self, container: str) -> None:
        """Remove the container; repeat while a task that was just starting still exists."""

        def gone() -> bool:
            self.command("task", "rm", "--force", container)
            self.command("container", "rm", container)
            return container not in self.must("container", "ls", "--quiet").split()

        wait_until(gone, f"{container} to be removed")

    def stop(self) -> None:
        self.clear()
        self.daemon.stop()
