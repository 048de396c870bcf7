"""What the three engines can do for a test, in the same words.

A container is described by keyword options, the same for `run`, `create` and `detach`:

runtime         a key of `Engine.runtimes`, or a name registered in the engine's configuration
profile         a seccomp profile (a plain one: ctr reads it without Docker's includes)
no_new_privs    the engine's switch for it; off unless asked for, with ctr too
user            USER or UID[:GID]
extra           further words for the engine's command line, before the image

Commands return CompletedProcess with text output, whatever their status.
"""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.engines.host import PrivateHost, wait_until
from tests.engines.image import IMAGE

Done = subprocess.CompletedProcess[str]

_number = itertools.count()


@dataclass(frozen=True)
class Options:
    """Options with which a container is started; see the module's docstring."""

    runtime: str | None = None
    profile: Path | None = None
    no_new_privs: bool = False
    user: str | None = None
    extra: Sequence[str | os.PathLike[str]] = ()

    @property
    def words(self) -> list[str]:
        """Return the extra arguments as text."""
        return [os.fspath(word) for word in self.extra]


@dataclass
class Engine(ABC):
    """An engine in a private host, its state in a directory there, with the image loaded.

    `runtimes` maps names to programs (the bare runtimes, latches in front of them).
    """

    host: PrivateHost
    runtimes: Mapping[str, Path]
    directory: Path = field(init=False)  # inside the host
    log: Path | None = None
    containers: list[str] = field(default_factory=list)

    name = ""
    programs: tuple[str, ...] = ()
    # True if creating and starting a container are two commands.
    has_create = True

    def __post_init__(self) -> None:
        self.directory = Path("/run") / f"{self.name}{next(_number)}"
        self.host.path(self.directory).mkdir()

    def new_name(self) -> str:
        """Return a name for a container, unique on the machine."""
        name = f"{self.host.group}-{next(_number)}"
        self.containers.append(name)
        return name

    @abstractmethod
    def command(self, *words: str | os.PathLike[str], timeout: float = 60) -> Done:
        """Run the engine's own client (docker, podman, ctr) with these arguments."""

    def must(self, *words: str | os.PathLike[str]) -> str:
        """Run the client; raise when it fails; return its output without the last newline."""
        done = self.command(*words)
        if done.returncode:
            raise AssertionError(f"{self.name} {words}: {done.returncode}: {done.stderr}")
        return done.stdout.strip()

    @abstractmethod
    def load(self, archive: Path) -> None:
        """Load an image archive."""

    @abstractmethod
    def run(self, *command: str, timeout: float = 60, **options: Any) -> Done:
        """Run a container in the foreground and remove it; the status is the command's."""

    @abstractmethod
    def create(self, *command: str, **options: Any) -> str:
        """Create a container without starting it; return its name. Raises when that fails."""

    @abstractmethod
    def start(self, container: str) -> Done:
        """Start a created container in the background."""

    def detach(self, *command: str, **options: Any) -> str:
        """Create and start a container in the background; return its name."""
        container = self.create(*command, **options)
        started = self.start(container)
        if started.returncode:
            raise AssertionError(f"{self.name} start: {started.returncode}: {started.stderr}")
        return container

    @abstractmethod
    def exec(self, container: str, *command: str, extra: Sequence[str] = ()) -> Done:
        """Run a further command in a running container."""

    def ask(self, container: str, *command: str) -> Done:
        """Run a command that prints something and has no effect in a running container."""
        return self.exec(container, *command)

    @abstractmethod
    def pid(self, container: str) -> int:
        """Return the pid of the container's first process, in the host's pid namespace."""

    @abstractmethod
    def wait(self, container: str) -> int:
        """Wait for the container's end; return its exit status."""

    @abstractmethod
    def output(self, container: str) -> str:
        """Return the output of a container in the background."""

    @abstractmethod
    def remove(self, container: str) -> None:
        """Kill and remove a container in any state; do nothing if there is none."""

    def clear(self) -> None:
        """Remove every remaining container of this engine."""
        while self.containers:
            self.remove(self.containers.pop())

    @abstractmethod
    def stop(self) -> None:
        """Remove the containers and end the engine."""


@dataclass
class Daemon:
    """An engine's daemon process in the private host."""

    host: PrivateHost
    process: subprocess.Popen[bytes]
    log: Path

    def await_ready(self, probe: Sequence[str | os.PathLike[str]]) -> None:
        """Wait until the probe command succeeds; if the daemon exits first, show its log."""

        def ready() -> bool:
            if self.process.poll() is not None:
                raise AssertionError(f"the daemon ended:\n{self.log.read_text(errors='replace')}")
            return self.host.run(*probe).returncode == 0

        wait_until(ready, f"the daemon to answer (log: {self.log})")

    def stop(self) -> None:
        """Stop the daemon as an administrator would (SIGTERM); kill it if it does not exit."""
        # nsenter(1) stops itself when a test has stopped its child, and stays so when that goes on.
        self.process.send_signal(signal.SIGCONT)
        self._signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self.process.kill()
            self.process.wait()

    def _signal(self, number: signal.Signals) -> None:
        """Signal the daemon: a child of nsenter, which forks."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        for child in children.read_text().split() if children.exists() else []:
            os.kill(int(child), number)


__all__ = ["IMAGE", "Daemon", "Done", "Engine", "Options"]
