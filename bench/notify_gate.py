"""Measure the other road to phases: one filter whose boot calls a supervisor lets pass.

See docs/decisions/0134-phases-by-user-notification.md. First the cost of one such call, then redis
under the bare runtime and with the latch: its profile has SCMP_ACT_NOTIFY for what a running
profile denies.
"""

from __future__ import annotations

import array
import errno
import fcntl
import json
import os
import socket
import struct
import subprocess
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Any

from bench.phases import make, train
from bench.profiles.container import Container
from bench.profiles.report import recorded_under
from bench.profiles.root import server_root
from bench.profiles.servers import workload
from tests.latch.oci import Runtime

_RECEIVE, _SEND = 0xC0502100, 0xC0182101  # SECCOMP_IOCTL_NOTIF_RECV, _SEND
_CONTINUE = 1
_STARTS = 5


class Supervisor:
    """Lets all calls pass that listeners on its socket ask about."""

    def __init__(self, path: Path) -> None:
        self.passed = 0
        self.listeners: list[int] = []
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            with connection:
                _, ancillary, _, _ = connection.recvmsg(1 << 16, 1 << 12)
            for _, _, data in ancillary:
                for fd in array.array("i", data):
                    self.listeners.append(fd)
                    threading.Thread(target=self._answer, args=(fd,), daemon=True).start()

    def _answer(self, listener: int) -> None:
        while True:
            asked = bytearray(80)
            try:
                fcntl.ioctl(listener, _RECEIVE, asked)
                answer = struct.pack("=8sqiI", bytes(asked[:8]), 0, 0, _CONTINUE)
                fcntl.ioctl(listener, _SEND, answer)
            except OSError as error:
                if error.errno in (errno.ENOENT, errno.EINTR):
                    continue  # the process was interrupted
                return
            self.passed += 1


def report(_: int) -> None:
    """Print the cost of a call, and of starts."""
    with tempfile.TemporaryDirectory(prefix="sl-") as name:
        folder = Path(name)
        program = folder / "notify_gate"
        subprocess.run(["cc", "-O2", "-o", program, Path(__file__).with_suffix(".c")], check=True)
        done = subprocess.run([program, "5000"], capture_output=True, text=True, check=True)
        print("ns a call, and errnos (closed, second and third listener):")
        print(done.stdout)
        work = workload("redis")
        with server_root(work.packages) as root:
            recordings, running = folder / "recordings", folder / "running.json"
            recordings.mkdir()
            train(work, root, "light", recordings)
            make("light", sorted(recordings.glob("*.json")), Path(), running)
            _report_starts(root, folder, json.loads(running.read_text()))


def _report_starts(root: Path, folder: Path, running: dict[str, Any]) -> None:
    base = recorded_under()
    for latched in (False, True):
        for title, profile in (("plain", base), ("notify", notify(base, running, folder))):
            times, calls, execs = [], 0, ""
            for _ in range(_STARTS):
                path = folder / "agent"
                path.unlink(missing_ok=True)
                supervisor = Supervisor(path)
                seconds, execs = _start(root, profile, Runtime("runc", latched=latched), path)
                times.append(seconds)
                calls = supervisor.passed
            method = "latch" if latched else "runc"
            print(
                f"{method:<6} {title:<7} start {median(times):.2f} s (median of {_STARTS}), "
                f"{calls} calls passed; {execs}",
                flush=True,
            )


def _start(root: Path, profile: dict[str, Any], runtime: Runtime, agent: Path) -> tuple[float, str]:
    """Return how long redis took to start, and what became of exec sessions without supervisor."""
    work = workload("redis")
    box = Container(root, work.argv, work.user, ready=work.ready, stop_signal=work.stop)
    box.profile, box.runtime = profile, runtime
    with closing(box):
        work.prepare(box)
        box.own()
        began = time.monotonic()
        box.start()
        seconds = time.monotonic() - began
        agent.unlink()
        done = box.attempt("true")
        return seconds, f"exec without a supervisor: status {done.returncode}"


def notify(base: dict[str, Any], running: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return the profile with SCMP_ACT_NOTIFY for calls that the running profile denies."""
    kept = {
        name
        for rule in running["syscalls"]
        if rule["action"] == "SCMP_ACT_ALLOW"
        for name in rule["names"]
    } | {"write"}  # runc refuses to notify of write
    rules = []
    for rule in base["syscalls"]:
        if rule["action"] != "SCMP_ACT_ALLOW" or rule.get("args"):
            rules.append(rule)
            continue
        for action, names in (
            ("SCMP_ACT_ALLOW", set(rule["names"]) & kept),
            ("SCMP_ACT_NOTIFY", set(rule["names"]) - kept),
        ):
            rules += [{**rule, "action": action, "names": sorted(names)}] if names else []
    return {**base, "syscalls": rules, "listenerPath": os.fspath(folder / "agent")}
