"""The running Docker daemon: found without trusting a pid file, reloaded, asked."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seclatch.errors import SeclatchError

CONFIG = "/etc/docker/daemon.json"
SOCKET = "/var/run/docker.sock"

# Keys that dockerd refuses to find both in its flags and in its file, with the flag's name.
FLAGS = {"runtimes": "--add-runtime", "default-runtime": "--default-runtime"}

# dockerd re-reads its file within milliseconds; a loaded host gets this long.
PATIENCE = 10.0


@dataclass(frozen=True)
class Daemon:
    """A dockerd process and its command line."""

    pid: int
    arguments: tuple[str, ...]

    def values(self, *flags: str) -> list[str]:
        """Return the values given to a flag, as `--flag value` or `--flag=value`."""
        found = []
        for index, argument in enumerate(self.arguments):
            name, equals, value = argument.partition("=")
            if name in flags:
                found.append(value if equals else "".join(self.arguments[index + 1 : index + 2]))
        return found

    def refuse_conflicts(self, config: dict[str, Any]) -> None:
        """Refuse a key that the daemon also has as a flag: it would not start again."""
        for key, flag in FLAGS.items():
            if key in config and self.values(flag):
                raise SeclatchError(
                    f"changing {CONFIG}: dockerd (pid {self.pid}) was started with {flag}, and it "
                    f"refuses to start when `{key}` is also in its file",
                    remedy=f"move what {flag} says into {CONFIG}, restart dockerd, run this again",
                )

    def sockets(self) -> list[str]:
        """Return the Unix sockets it was told to listen on, else the usual one."""
        hosts = self.values("-H", "--host")
        paths = [host.removeprefix("unix://") for host in hosts if host.startswith("unix://")]
        return paths or [SOCKET]

    def ask_runtimes(self) -> dict[str, Any] | None:
        """Ask the daemon's API for its runtimes by name; None when it cannot be asked."""
        for path in self.sockets():
            try:
                connection = UnixConnection(path, timeout=5)
                connection.request("GET", "/info", headers={"Host": "docker"})
                answer = json.loads(connection.getresponse().read(4 << 20))
                runtimes = answer["Runtimes"]
            except (OSError, ValueError, KeyError, http.client.HTTPException):
                continue
            if isinstance(runtimes, dict):
                return runtimes
        return None

    def await_runtime(self, name: str, path: str | None) -> None:
        """Wait until the daemon shows the runtime with this path, or (None) no longer shows it."""
        deadline = time.monotonic() + PATIENCE
        while (runtimes := self.ask_runtimes()) is not None:
            entry = runtimes.get(name)
            if (entry.get("path") if isinstance(entry, dict) else None) == path:
                return
            if time.monotonic() > deadline:
                raise SeclatchError(
                    f"reloading dockerd (pid {self.pid}): after {PATIENCE:.0f} s it still has not "
                    f"taken the change of {CONFIG}",
                    remedy="its log says why (journalctl -u docker); the file is changed, "
                    "`seclatch uninstall docker` undoes that",
                )
            time.sleep(0.05)


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self) -> None:
        """Connect to the path instead of a host."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


@dataclass(frozen=True)
class Reload:
    """Make one daemon re-read its file."""

    daemon: Daemon

    def describe(self) -> str:
        """Say which process gets what."""
        return f"reload dockerd (SIGHUP to pid {self.daemon.pid}; containers keep running)"

    def apply(self) -> None:
        """Send SIGHUP through a pidfd, so that a re-used pid cannot get it."""
        try:
            fd = os.pidfd_open(self.daemon.pid)
        except ProcessLookupError:
            return  # it ended; the next one reads the new file
        try:
            if read_daemon(Path(f"/proc/{self.daemon.pid}")) == self.daemon:
                signal.pidfd_send_signal(fd, signal.SIGHUP)
        finally:
            os.close(fd)

    def undo(self) -> None:
        """Nothing here: it is the last step that can fail, so no later failure undoes it."""


def find_daemons() -> list[Daemon]:
    """Find every dockerd in our mount namespace whose configuration is the usual file."""
    here = Path("/proc/self/ns/mnt").readlink()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        daemon = read_daemon(process)
        if daemon is None or (daemon.values("--config-file") or [CONFIG])[-1] != CONFIG:
            continue
        try:
            if (process / "ns/mnt").readlink() == here:
                found.append(daemon)
        except OSError:
            continue
    return found


def read_daemon(process: Path) -> Daemon | None:
    """Read /proc/PID if it is a dockerd."""
    try:
        if (process / "comm").read_text() != "dockerd\n":
            return None
        arguments = (process / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
    except OSError:
        return None
    return Daemon(int(process.name), tuple(os.fsdecode(one) for one in arguments[1:]))
