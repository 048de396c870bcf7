"""The running Docker daemon: find it without trusting a pid file, reload it, query it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from seclatch.engines.installation.file_change import FileChange, FileState, place_file
from seclatch.engines.installation.host_root import HostRoot
from seclatch.errors import SeclatchError
from seclatch.system.procfs import split_argv

CONFIG = "/etc/docker/daemon.json"
SOCKET = "/var/run/docker.sock"

# Keys that dockerd refuses to find both in its flags and in its file, with the flag's name.
DEFAULT = "default-runtime"
FLAGS = {"runtimes": "--add-runtime", DEFAULT: "--default-runtime"}

# dockerd's built-in values of these keys.
STOCK: dict[str, Any] = {"runtimes": {}, DEFAULT: "runc"}

# Seconds. dockerd reloads its file within milliseconds; a loaded host takes longer.
PATIENCE = 10.0


@dataclass(frozen=True)
class DockerDaemon:
    """A dockerd process and its command line."""

    pid: int
    arguments: tuple[str, ...]
    root: HostRoot = field(default_factory=HostRoot)

    def values(self, *flags: str) -> list[str]:
        """Return the values of a flag, given as `--flag value` or `--flag=value`."""
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

    def reload(self) -> None:
        """Send SIGHUP through a pidfd, so that a reused pid cannot receive it."""
        try:
            fd = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return  # it ended; the next one reads the new file
        try:
            if read_daemon(Path(f"/proc/{self.pid}")) == replace(self, root=HostRoot()):
                signal.pidfd_send_signal(fd, signal.SIGHUP)
        finally:
            os.close(fd)

    def sockets(self) -> list[str]:
        """Return the Unix sockets that the daemon listens on, by its flags or by default."""
        hosts = self.values("-H", "--host")
        paths = [host.removeprefix("unix://") for host in hosts if host.startswith("unix://")]
        return paths or [SOCKET]

    def ask(self) -> dict[str, Any] | None:
        """Query the daemon's API (GET /info); None if it does not answer."""
        for path in self.sockets():
            try:
                connection = UnixConnection(str(self.root.resolve(path)), timeout=5)
                connection.request("GET", "/info", headers={"Host": "docker"})
                answer = json.loads(connection.getresponse().read(4 << 20))
            except (OSError, ValueError, http.client.HTTPException):
                continue
            if isinstance(answer, dict) and isinstance(answer.get("Runtimes"), dict):
                return answer
        return None

    def await_state(self, runtime: str, front: str | None, default: str | None) -> None:
        """Wait until the daemon reports this runtime path (None: no runtime) and this default."""
        deadline = time.monotonic() + PATIENCE
        while (info := self.ask()) is not None:
            entry = info["Runtimes"].get(runtime)
            shown = entry.get("path") if isinstance(entry, dict) else None
            if shown == front and default in (None, info.get("DefaultRuntime")):
                return
            if time.monotonic() > deadline:
                raise SeclatchError(
                    f"reloading dockerd (pid {self.pid}): after {PATIENCE:.0f} s it still has not "
                    f"taken the change of {CONFIG}",
                    remedy="its log says why (journalctl -u docker); all is as it was before",
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
class LiveChange:
    """A change of daemon.json that the running daemons take at once, or that is not made.

    dockerd keeps the value of a key that was removed from its file, and cannot reload a file that
    was removed (measured: 26.1). So where the new file lacks a key of ours, an interim file first
    sets the built-in value, and the wanted file follows after the daemons have taken that.
    """

    change: FileChange
    daemons: tuple[DockerDaemon, ...]
    runtime: str
    front: str | None  # the path that the daemons must then show for it; None: no such runtime

    def describe(self) -> str:
        """Return which file changes and which process is signalled."""
        pids = ", ".join(str(daemon.pid) for daemon in self.daemons)
        signal_note = f"SIGHUP to dockerd, pid {pids}; containers keep running"
        return f"{self.change.describe()}, and reload ({signal_note})"

    def diff(self) -> list[str]:
        """Return the file's changed lines."""
        return self.change.diff()

    def apply(self) -> None:
        """Change the file, reload, wait until the daemons report the change; else undo all."""
        before, after = self.change.before, self.change.after
        interim = make_interim_file(before, after)
        first = interim or after
        FileChange(self.change.path, before, first, self.change.purpose).apply()
        try:
            self.reload()
            for daemon in self.daemons:
                daemon.await_state(self.runtime, self.front, read_keys(first).get(DEFAULT))
            if interim:
                place_file(self.change.path, after)
        except BaseException:
            self.undo()
            raise

    def undo(self) -> None:
        """Restore the former file and make the daemons read it."""
        before = self.change.before
        interim = make_interim_file(self.change.after, before)
        place_file(self.change.path, interim or before)
        self.reload()
        if interim:
            time.sleep(1)  # which former state to ask for is not known: time to read the file
            place_file(self.change.path, before)

    def reload(self) -> None:
        """Make every daemon reload the file."""
        for daemon in self.daemons:
            daemon.reload()


def make_interim_file(before: FileState | None, after: FileState | None) -> FileState | None:
    """Return the file that resets the keys which `after` no longer has; None if not needed."""
    old, new = read_keys(before), read_keys(after)
    gone = {key: value for key, value in STOCK.items() if key in old and key not in new}
    if after is not None and not gone:
        return None
    content = json.dumps({**new, **gone}).encode()
    return (after or before or FileState(b"")).replaced(content)


def read_keys(state: FileState | None) -> dict[str, Any]:
    """Return the keys of a valid daemon.json."""
    text = state.content.decode("utf-8-sig").strip() if state else ""
    keys: dict[str, Any] = json.loads(text or "{}")
    return keys


def find_daemons(root: HostRoot) -> list[DockerDaemon]:
    """Find the running dockerd processes that use the default configuration file."""
    here = Path(f"/proc/{root.init or 'self'}/ns/mnt").readlink()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        daemon = read_daemon(process)
        if daemon is None or (daemon.values("--config-file") or [CONFIG])[-1] != CONFIG:
            continue
        try:
            if (process / "ns/mnt").readlink() == here:
                found.append(replace(daemon, root=root))
        except OSError:
            continue
    return found


def read_daemon(process: Path) -> DockerDaemon | None:
    """Read /proc/PID if it is a dockerd."""
    try:
        if (process / "comm").read_bytes() != b"dockerd\n":  # others may be any bytes
            return None
        arguments = split_argv((process / "cmdline").read_bytes(), "surrogateescape")
    except OSError:
        return None
    return DockerDaemon(int(process.name), arguments[1:])
