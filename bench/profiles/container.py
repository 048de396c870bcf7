"""One server's container in a workload: started, stopped, killed, sent requests, executed in.

It has Docker's default capabilities and the host's network, and its directory is /run there.
"""

from __future__ import annotations

import os
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.latch.oci import SCRIPTS, Runtime, make_bundle

_NAMES = """
CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE
SYS_CHROOT KILL AUDIT_WRITE
"""
CAPABILITIES = [f"CAP_{name}" for name in _NAMES.split()]
"""What Docker gives a container by default."""

PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
FILES = min(65536, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
PATIENCE = 8.0
"""Seconds that a step waits for an answer."""

SPINNING = 0.8
"""Of one processor, over half a second in which nothing is asked of the server."""


def free_port() -> int:
    """Find a port of the loopback device that is not in use."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(condition: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """Return the first true value; an exception of the condition counts as false."""
    end = time.monotonic() + seconds
    error: Exception | None = None
    while time.monotonic() < end:
        try:
            if value := condition():
                return value
        except (OSError, AssertionError, EOFError, IndexError, ValueError) as problem:
            error = problem
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds:.0f} s ({error})")


class Container:
    """A server's container. `profile` is its `linux.seccomp`; None: unconfined."""

    def __init__(
        self,
        root: Path,
        argv: Sequence[str],
        user: int = 0,
        *,
        ready: Callable[[Container], object],
        stop_signal: str = "TERM",
    ) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="sl-", dir="/tmp")
        self._path = Path(self._temporary.name)
        self._path.chmod(0o755)
        self._root, self._ready, self._stop = root, ready, stop_signal
        self.folder = self._path / "run"
        self.folder.mkdir()
        self.user = user
        self.port, self.port2 = free_port(), free_port()
        self.argv = [each.format(port=self.port, port2=self.port2) for each in argv]
        self.profile: dict[str, Any] | None = None
        self.runtime = Runtime("runc")
        self.record: Path | None = None
        self.recorder = [str(SCRIPTS / "seclatch"), "record", "-q", "-o"]
        self.started: Callable[[Container], object] = lambda _: None
        """Called after each start, once the server answers."""
        self._process: subprocess.Popen[bytes] | None = None
        self._starts = 0
        self._id = ""

    def close(self) -> None:
        """End the processes and remove all files."""
        self._delete()
        self._temporary.cleanup()

    def own(self) -> None:
        """Give all files of the folder to the container's user."""
        for each in (self.folder, *self.folder.rglob("*")):
            os.chown(each, self.user, self.user, follow_symlinks=False)

    def start(self, seconds: float = 60) -> None:
        """Start the server and wait until it answers."""
        self._starts += 1
        bundle = self._bundle()
        self._id = bundle.id
        words = self.runtime.argv("run", "--bundle", bundle.path, bundle.id)
        if self.record is not None:
            file = self.record / f"{self._starts}.json"
            words = [*self.recorder, str(file), "--", *words]
        with (self._path / "log").open("ab") as log:
            self._process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        try:
            wait_until(self._answers, seconds)
        except BaseException as error:
            error.add_note(self._all_logs())
            self._delete()
            raise
        self.started(self)

    def _answers(self) -> bool:
        if not self.alive():
            raise RuntimeError("the server ended while it started")
        self._ready(self)
        return True

    def _bundle(self) -> Any:
        bundle = make_bundle(
            self._path / f"bundle{self._starts}", self._root, self.argv, seccomp=self.profile
        )
        process, linux = bundle.config["process"], bundle.config["linux"]
        process["user"] = {"uid": self.user, "gid": self.user}
        process["env"] = [PATH, "HOME=/run", "LC_ALL=C"]
        process["cwd"] = "/run"
        kept = [] if self.user else CAPABILITIES
        process["capabilities"] = {
            "bounding": CAPABILITIES,
            "permitted": kept,
            "effective": kept,
        }
        process["rlimits"] = [{"type": "RLIMIT_NOFILE", "hard": FILES, "soft": FILES}]
        linux["namespaces"] = [each for each in linux["namespaces"] if each["type"] != "network"]
        # without a network namespace of its own a container may not mount sysfs
        mounts = [each for each in bundle.config["mounts"] if each["type"] != "sysfs"]
        bundle.config["mounts"] = [
            *mounts,
            {
                "destination": "/run",
                "type": "bind",
                "source": str(self.folder),
                "options": ["rbind", "rw"],
            },
            {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["mode=1777"]},
        ]
        bundle.write()
        return bundle

    @property
    def name(self) -> str:
        """Return its id, by which commands of seclatch find it."""
        return self._id

    def mark(self) -> None:
        """Tell the recorder that the server is ready."""
        assert self._process is not None
        self._process.send_signal(signal.SIGUSR2)

    def alive(self) -> bool:
        """Return whether the server still runs."""
        return self._process is not None and self._process.poll() is None

    def log(self) -> str:
        """Read what the server has written to its standard output and error, over all starts."""
        return (self._path / "log").read_text(errors="replace")

    def _all_logs(self) -> str:
        texts = [each.read_text(errors="replace") for each in self.folder.glob("*.log")]
        return "".join([*texts, self.log()])[-2000:]

    def signal(self, name: str) -> None:
        """Send a signal to the server's first process."""
        assert self.runtime("kill", self._id, name).returncode == 0, f"no signal {name} sent"

    def wait(self, seconds: float = 20) -> int:
        """Wait for the server's end and return its status."""
        assert self._process is not None
        return self._process.wait(seconds)

    def stop(self) -> None:
        """Stop the server as its image does; fail if it does not exit, or not with status 0."""
        self.signal(self._stop)
        try:
            status = self.wait()
        finally:
            self._delete()
        assert status == 0, f"ended with {status}"

    def kill(self) -> None:
        """End the server with SIGKILL, as a crash would."""
        with suppress(AssertionError):
            self.signal("KILL")
        self._delete()

    def restart(self) -> None:
        """Stop and start."""
        self.stop()
        self.start()

    def crash(self) -> None:
        """Kill and start again."""
        self.kill()
        self.start()

    def execute(self, *words: str, user: int | None = None) -> str:
        """Execute a command in the container (docker exec); fail if its status is not 0."""
        done = self.attempt(*words, user=user)
        assert done.returncode == 0, f"{words[0]}: {done.returncode} {done.stdout[-300:]}"
        return done.stdout

    def attempt(self, *words: str, user: int | None = None) -> subprocess.CompletedProcess[str]:
        """Execute a command in the container, whatever its status."""
        uid = self.user if user is None else user
        argv = self.runtime.argv("exec", "--user", f"{uid}:{uid}", self._id, *words)
        with subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                output, _ = process.communicate(timeout=PATIENCE + 4)
            except subprocess.TimeoutExpired:
                with suppress(OSError):
                    os.killpg(process.pid, signal.SIGKILL)
                raise AssertionError(f"{words[0]} hangs") from None
        return subprocess.CompletedProcess(argv, process.returncode, output)

    def client(self, *words: str, seconds: float = PATIENCE + 4, given: str = "") -> str:
        """Run a client from the same packages on the host, bound by no profile."""
        command = ["chroot", str(self._root), "/usr/bin/env", "-i", PATH, "LC_ALL=C", *words]
        done = subprocess.run(
            command, input=given, capture_output=True, text=True, timeout=seconds, check=False
        )
        assert done.returncode == 0, f"{words[0]}: {done.returncode} {done.stderr[-300:]}"
        return done.stdout

    def pids(self) -> list[int]:
        """List the container's processes by their pids on the host."""
        done = self.runtime("ps", "--format", "json", self._id)
        return [int(each) for each in done.stdout.strip("[]\n ").split(",") if each.strip()]

    def is_spinning(self) -> bool:
        """Return whether its processes use a processor while no request is made."""
        before = self._ticks()
        time.sleep(0.5)
        used = (self._ticks() - before) / os.sysconf("SC_CLK_TCK")
        return used / 0.5 > SPINNING

    def _ticks(self) -> int:
        total = 0
        for pid in self.pids():
            with suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                total += int(fields[11]) + int(fields[12])
        return total

    def _delete(self) -> None:
        if self._id:
            self.runtime("delete", "--force", self._id)
        if self._process is not None:
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        shutil.rmtree(self._path / f"bundle{self._starts}", ignore_errors=True)
        self._process, self._id = None, ""
